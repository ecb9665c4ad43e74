"""How a model of each format is opened with its own framework and run; imported in child processes only."""
