"""Small networks that are trained on small pictures in seconds to minutes."""
