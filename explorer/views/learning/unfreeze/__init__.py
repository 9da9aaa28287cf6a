"""Feature extraction, fine-tuning and training from scratch on the same photos."""
