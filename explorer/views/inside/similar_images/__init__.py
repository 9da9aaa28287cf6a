"""Similar images: nearest neighbors of a photo in a folder, and the folder on a plane."""
