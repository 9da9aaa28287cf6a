"""Several networks as one, measured like the single network."""
