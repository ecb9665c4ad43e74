"""The routes that end in an `.onnx`."""
