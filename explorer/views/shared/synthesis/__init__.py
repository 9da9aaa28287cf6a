"""What several views of pictures by gradient share."""
