"""What a cell of a layer depends on, and what a pixel can influence."""
