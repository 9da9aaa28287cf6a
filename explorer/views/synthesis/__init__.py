"""Views that make pictures by gradients with respect to the image."""
