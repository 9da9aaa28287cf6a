"""A detector that is fine-tuned to the photos of a folder."""
