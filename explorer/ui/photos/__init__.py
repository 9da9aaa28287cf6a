"""Photos in the window: opening, the strip, exporting."""
