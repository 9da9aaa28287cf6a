"""Views of what is inside a network."""
