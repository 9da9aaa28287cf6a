"""Background jobs: what runs behind every question, and the list of it."""
