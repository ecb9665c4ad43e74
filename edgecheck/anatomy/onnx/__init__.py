"""ONNX: graphs of nodes, and tensors wherever they are stored."""
