"""Live in the window: cameras, films, the screen, recording."""
