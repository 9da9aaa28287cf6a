"""Sheets and notices over the window."""
