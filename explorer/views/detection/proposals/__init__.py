"""Proposals of one method, and all methods beside the published table."""
