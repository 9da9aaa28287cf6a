"""The graph of a network."""
