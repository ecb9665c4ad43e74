"""Small generated networks that are timed on a device; made in a child process, as conversions are."""
