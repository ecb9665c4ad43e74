"""Devices on which a command can be started: a courier there stores what is missing and runs the agent.

opener.py    what differs between the ways to such a device: the command that connects, and what its errors mean
target.py    a check: connect, upload, start the agent, pass on its lines
client.py    the host's side of the conversation with the courier
wire.py      one process with a courier at its other end
upload.py    what a check needs on the device
cache.py     what a device has: its cache, and what it is
../courier/  the device's side
"""
