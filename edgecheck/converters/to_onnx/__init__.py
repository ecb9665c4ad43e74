"""The routes to `.onnx`."""
