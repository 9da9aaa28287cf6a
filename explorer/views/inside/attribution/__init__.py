"""The view of what a prediction depends on."""
