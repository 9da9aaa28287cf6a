"""The middle of the window: panes, canvas, pan and zoom, comparison."""
