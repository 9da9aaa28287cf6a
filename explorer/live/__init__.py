"""Frames that keep coming: sources, the thread that reads them, and the slot with the newest."""
