"""The results panel: tables and plots."""
