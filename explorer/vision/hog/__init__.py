"""Histograms of oriented gradients, and linear SVMs on them (Dalal and Triggs 2005)."""
