"""R-CNN and SPP-net."""
