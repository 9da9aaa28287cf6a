"""A perturbation that changes what a network predicts."""
