"""Pictures as a few numbers: principal components, and searches among them."""
