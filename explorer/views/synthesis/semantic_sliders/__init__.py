"""Pictures changed along their principal components."""
