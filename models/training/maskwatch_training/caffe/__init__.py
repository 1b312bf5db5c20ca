"""A small converter from Caffe's SSD (network text and weights) to ONNX."""
