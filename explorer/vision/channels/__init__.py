"""The channels of one layer: how their values are distributed, ordered, colored and replaced."""
