"""Stages: moves, their records, and the table that shows them."""
