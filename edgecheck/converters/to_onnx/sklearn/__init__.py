"""scikit-learn to `.onnx`, and the repairs that skl2onnx's conversions need."""
