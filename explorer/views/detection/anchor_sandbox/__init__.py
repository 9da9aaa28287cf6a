"""Which anchors a ground-truth box makes positive."""
