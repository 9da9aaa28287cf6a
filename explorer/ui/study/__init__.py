"""What is shown: chosen, asked for, and drawn."""
