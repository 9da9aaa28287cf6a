"""Regions that are proposed, as several views take them."""
