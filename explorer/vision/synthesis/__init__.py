"""Pictures made by gradients with respect to the image."""
