"""RoIPool and RoIAlign of one box, bin by bin."""
