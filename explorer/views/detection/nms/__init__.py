"""Non-maximum suppression, step by step."""
