"""Which Python packages run which format, in the order in which they are tried: nothing heavier is ever loaded."""

RUNTIMES = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-litert", "tflite-runtime")}
