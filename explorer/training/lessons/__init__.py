"""The lessons: how each shipped network was trained."""
