"""The anchors of any cell."""
