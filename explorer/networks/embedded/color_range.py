"""The color range of the embedded networks."""

MEAN = (0.485, 0.456, 0.406)
"""Subtracted from RGB in [0, 1], as for torchvision's own networks."""

STD = (0.229, 0.224, 0.225)
