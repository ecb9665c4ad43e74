"""The routes that end in a `.tflite`."""
