"""All channels of a layer."""
