"""R-CNN, SPP-net, Fast and Faster R-CNN timed on one photo."""
