"""Faces found, aligned, embedded and compared, step by step."""
