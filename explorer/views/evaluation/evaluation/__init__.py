"""A network on a folder of photos whose right answers are known."""
