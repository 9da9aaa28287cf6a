"""How the embedded networks are made: a worked example of training on a laptop or a GPU machine."""
