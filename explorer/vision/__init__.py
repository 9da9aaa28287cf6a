"""The methods themselves: torch and numpy only, no views, no window."""
