"""Faces: found by a cascade, aligned by five points, compared as vectors."""
