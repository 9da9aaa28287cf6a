"""Keypoint R-CNN opened: from the box of a person to the keypoints."""
