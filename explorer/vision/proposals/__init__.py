"""Methods that propose boxes: one file each, all of them by name in `methods`."""
