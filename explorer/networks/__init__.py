"""Networks: where they come from and what is needed to use them."""
