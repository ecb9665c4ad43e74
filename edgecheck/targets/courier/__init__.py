"""What runs at the device's end of an SSH connection: sent along as text, it stores what comes and starts the agent.

The modules import nothing from edgecheck and run under Python 3.6 with nothing but the standard library.
"""
