"""How good a network is: views of many photos and of what is wrong in them."""
