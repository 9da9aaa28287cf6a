"""Views of what a detector does inside."""
