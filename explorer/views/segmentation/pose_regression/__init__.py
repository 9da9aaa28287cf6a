"""Joints by regression: DeepPose, its cascade, and heat maps beside it."""
