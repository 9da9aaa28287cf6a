"""Layers as graphics items: one item per layer, drawn by Qt."""
