"""The kernels of a convolution layer."""
