"""What is copied to a device and run there: `supervisor.py` and its siblings, which import nothing from edgecheck."""
