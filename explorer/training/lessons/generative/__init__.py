"""The lessons of the networks that make pictures."""
