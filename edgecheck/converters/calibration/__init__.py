"""Small networks of known kinds, generated to be timed on a device; made in a child process, as conversions are."""
