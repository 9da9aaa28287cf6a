"""What a network predicts before and after a change, of the photo or of the network itself."""
