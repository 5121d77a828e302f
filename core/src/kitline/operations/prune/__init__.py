"""Prune: what nothing needs any more, and its plan."""
