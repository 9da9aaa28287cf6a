"""What better inference does to a detector's boxes, refinement by refinement."""
