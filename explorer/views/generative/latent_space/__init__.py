"""What a style-based generator makes of its latents."""
