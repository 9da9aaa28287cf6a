"""R-CNN on one proposal: its crop, its features, the SVMs' margins, the regressor's move."""
