"""The window: everything Qt is in this package and nowhere else."""
