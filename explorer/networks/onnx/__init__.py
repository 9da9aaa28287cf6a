"""ONNX files as networks: read safely, turned into a module or run by ONNX Runtime, remembered."""
