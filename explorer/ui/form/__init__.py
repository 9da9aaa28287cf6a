"""The form of a view: one editor per kind of parameter."""
