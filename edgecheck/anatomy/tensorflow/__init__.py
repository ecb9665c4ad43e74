"""SavedModel: a graph, and a checkpoint next to it."""
