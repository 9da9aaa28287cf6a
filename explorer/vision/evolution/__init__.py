"""Pictures evolved for high class probabilities, and their counterpart by gradient ascent."""
