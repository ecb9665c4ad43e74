"""The routes to `.tflite`."""
