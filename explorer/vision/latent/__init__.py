"""Pictures as a few numbers: principal components, searches among them, walks between latents."""
