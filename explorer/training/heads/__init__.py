"""New heads on a trained network, and how much of the network is trained with them."""
