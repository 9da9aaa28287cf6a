"""How decoders get from coarse scores to every pixel."""
