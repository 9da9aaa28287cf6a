"""Networks that read faces: whose it may be, and how old it looks."""
