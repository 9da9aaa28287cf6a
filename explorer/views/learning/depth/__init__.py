"""Shallow and deep networks are trained side by side."""
