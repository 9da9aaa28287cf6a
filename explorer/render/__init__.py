"""Boards as pictures, without Qt and torch."""
