"""Methods from before, and beside, convolutional networks: numpy and OpenCV only."""
