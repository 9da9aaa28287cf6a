"""Figures for networks that make pictures, and for networks that compare faces."""
