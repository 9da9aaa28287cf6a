"""Selective search: the merge tree and its boxes."""
