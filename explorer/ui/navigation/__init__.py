"""Where the user was and the way back; what to do when a network cannot be had."""
