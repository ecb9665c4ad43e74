"""TensorFlow's SavedModel: a graph, and a checkpoint beside it."""
