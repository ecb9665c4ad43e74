"""TFLite: a flatbuffer of subgraphs, tensors and buffers."""
