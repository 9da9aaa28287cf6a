"""R-CNN's training half: which regions train what, and its three objectives minimized live."""
