"""A network on a folder of photos with ground truth."""
