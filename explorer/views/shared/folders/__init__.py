"""What views of a whole folder share: its photos, and an index of them."""
