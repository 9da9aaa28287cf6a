"""Grids of numbers: cells with their values written in them."""
