"""What is inside a model file, read without its framework: tensors, layers, operators, every byte."""
