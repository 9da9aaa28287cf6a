"""OverFeat: a classifier and its box regressor on all windows of a photo in one pass."""
