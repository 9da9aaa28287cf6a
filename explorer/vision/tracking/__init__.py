"""Detections joined to tracks, and counting them."""
