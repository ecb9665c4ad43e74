"""From an anatomy to what a person can do about it: what would save bytes, and why a limit does not hold."""
