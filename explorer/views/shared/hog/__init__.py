"""Histograms of oriented gradients, drawn, and the templates that are shown of them."""
