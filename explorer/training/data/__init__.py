"""What the lessons learn from: photos, scenes and masks made of them."""
