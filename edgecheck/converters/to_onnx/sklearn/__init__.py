"""scikit-learn to `.onnx`, with repairs of what skl2onnx converts wrongly."""
