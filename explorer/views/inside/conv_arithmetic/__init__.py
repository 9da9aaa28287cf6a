"""The numbers behind an output of a layer."""
