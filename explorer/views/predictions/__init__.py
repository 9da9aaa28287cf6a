"""Views of what a network predicts."""
