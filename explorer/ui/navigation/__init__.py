"""Where the user is and was, and the way back; what to do when a network cannot be had."""
