"""Which pixels an output or an activation comes from."""
