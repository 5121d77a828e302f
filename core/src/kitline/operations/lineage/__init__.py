"""Lineage: what a kit was made from, what was made from it, and the index that remembers."""
