"""Activation maximization of all channels of a layer."""
