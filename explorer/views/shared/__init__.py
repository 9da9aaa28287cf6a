"""What several views share; no view is in here."""
