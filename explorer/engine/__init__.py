"""Networks, scenes and views brought together on the runner's thread."""
