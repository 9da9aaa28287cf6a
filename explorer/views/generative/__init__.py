"""Views of networks that make pictures."""
