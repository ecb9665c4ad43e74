"""Accelerators: a GPU, an NPU or a TPU that a runtime hands a part of the model to."""
