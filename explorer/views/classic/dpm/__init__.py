"""Deformable part models: filters, their responses step by step, and the same as a CNN."""
