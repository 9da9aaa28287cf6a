"""The lessons of the networks that read faces."""
