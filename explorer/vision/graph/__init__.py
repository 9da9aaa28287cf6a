"""The graph of a network: what runs, what depends on what, what it costs, how it is laid out."""
