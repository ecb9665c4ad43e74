"""How a model of each format is opened with its own framework and run: only in a child process."""
