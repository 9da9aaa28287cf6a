"""Histograms of oriented gradients and the detector of people that is made of them."""
