"""Small widgets and the theme that every panel uses."""
