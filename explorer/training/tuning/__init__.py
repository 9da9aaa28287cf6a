"""Fine-tuning a detector that ships to the photos and classes of somebody's own folder."""
