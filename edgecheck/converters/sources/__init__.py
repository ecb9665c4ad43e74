"""How a model of each format is opened and run with its framework; all but `frameworks` only in child processes."""
