"""How the embedded networks want their colors."""

MEAN = (0.485, 0.456, 0.406)
"""Subtracted from RGB in [0, 1], as torchvision's own networks want it."""

STD = (0.229, 0.224, 0.225)
