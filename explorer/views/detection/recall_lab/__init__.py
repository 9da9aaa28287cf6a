"""Recall and repeatability of ways to propose boxes."""
