"""The parts of a detector: boxes, anchors, matching, losses, NMS, RoI pooling."""
