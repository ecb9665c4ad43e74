"""Devices over SSH: the user's ssh starts a courier on the device, which stores what is missing and runs the agent.

target.py    a check: connect, upload, start the agent, pass on its lines
client.py    the host's side of the conversation with the courier
wire.py      one process with a courier at its other end
openssh.py   all that is particular to OpenSSH: the command, and what its errors mean
upload.py    what a check needs on the device
cache.py     what a device has: its cache, and what it is
../courier/  the device's side
"""
