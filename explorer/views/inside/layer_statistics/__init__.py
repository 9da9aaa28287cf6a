"""Activations and gradients per layer, and what changes them."""
