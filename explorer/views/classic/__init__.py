"""Views of methods from before convolutional networks."""
