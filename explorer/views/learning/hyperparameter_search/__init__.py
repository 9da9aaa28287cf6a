"""Two settings of a training are searched, on a grid and at random."""
