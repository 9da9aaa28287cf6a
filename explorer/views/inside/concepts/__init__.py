"""Concepts: what the activations of a layer on many photos are sums of."""
