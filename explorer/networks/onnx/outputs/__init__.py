"""What the outputs of a file mean: boxes, cells, classes, maps."""
