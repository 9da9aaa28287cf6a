"""The network's class of every pixel."""
