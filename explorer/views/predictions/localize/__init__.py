"""The class of the photo and one predicted box, compared with ground truth and other heads."""
