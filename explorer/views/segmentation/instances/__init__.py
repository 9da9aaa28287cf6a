"""Mask R-CNN: detected instances, and how the mask of one of them is computed."""
