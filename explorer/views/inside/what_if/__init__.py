"""What the network predicts when the photo is edited."""
