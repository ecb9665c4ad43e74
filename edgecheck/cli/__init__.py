"""The command line: one file a command; the only code that prints and that chooses an exit code."""
