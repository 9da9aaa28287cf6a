"""Ground truth in the window: drawing boxes, reading and writing their files."""
