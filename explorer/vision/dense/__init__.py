"""Predictions for every place of a photo: decoders in parts, classifiers on every window."""
