"""The network's class of every pixel, how certain it is, and how it compares with ground truth."""
