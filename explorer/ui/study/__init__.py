"""What is being looked at: chosen, asked for, and drawn."""
