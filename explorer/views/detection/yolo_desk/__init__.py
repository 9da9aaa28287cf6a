"""What every cell of a YOLO predicts, its loss, its priors and its tree of words."""
