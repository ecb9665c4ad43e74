"""Model and variant to artifact; each conversion in a child process, cached by content."""
