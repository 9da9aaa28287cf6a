"""Pictures that no one would recognize, with high probabilities."""
