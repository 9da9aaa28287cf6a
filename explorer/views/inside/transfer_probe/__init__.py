"""Transfer probe: a linear classifier on the features of every layer."""
