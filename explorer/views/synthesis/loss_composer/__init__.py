"""Any objective on a picture, composed of terms."""
