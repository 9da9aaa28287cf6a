"""Files that are networks: what is in them is shown, and what they do not say is asked."""
