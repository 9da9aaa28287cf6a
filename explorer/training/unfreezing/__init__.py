"""Feature extraction, fine-tuning and training from scratch, side by side on the same photos."""
