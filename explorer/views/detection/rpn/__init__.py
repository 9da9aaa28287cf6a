"""The region proposal network, step by step."""
