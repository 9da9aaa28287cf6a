"""Detections followed from frame to frame, and counted."""
