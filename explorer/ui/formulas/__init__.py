"""Formulas of explanations: as mathematics, and in plain letters."""
