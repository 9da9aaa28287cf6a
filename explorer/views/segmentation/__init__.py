"""What the network says of every pixel."""
