"""A classifier on every window of the photo, one by one."""
