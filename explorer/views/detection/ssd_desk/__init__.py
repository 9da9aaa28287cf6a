"""Single-stage detectors: class maps, default boxes and matches of every level."""
