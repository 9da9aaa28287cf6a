"""Convnet Explorer: see what a convolutional vision network does, on your own photo."""

__version__ = "0.1.0"
