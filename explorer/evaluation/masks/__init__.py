"""Metrics of masks: folders of class masks, instances, borders."""
