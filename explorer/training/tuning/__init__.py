"""Fine-tuning a detector that ships to the photos and classes of the user's own folder."""
