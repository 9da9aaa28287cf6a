"""Checkpoints: reading them safely, fitting them to a network, loading and downloading weights."""
