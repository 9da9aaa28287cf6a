"""The panels beside the canvas: views, network, explanation, inspector, progress."""
