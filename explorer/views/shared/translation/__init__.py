"""Networks that translate pictures, as several views use them."""
