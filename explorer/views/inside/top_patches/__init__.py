"""Top patches: the parts of a folder of photos that excite a unit most."""
