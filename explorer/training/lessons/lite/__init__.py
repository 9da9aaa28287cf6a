"""Lessons of the lite networks: a detector on ImageNet features, and heads on its frozen body."""
