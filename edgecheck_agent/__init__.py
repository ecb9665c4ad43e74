"""What is copied to a device and run there: Python 3.6, the standard library, and nothing from edgecheck.

`supervisor.py` and `worker.py` are started as files. The rest are modules of this package, so that a runtime bundle
and the standard library may have modules of the same names.
"""
