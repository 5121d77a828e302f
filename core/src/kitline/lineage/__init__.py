"""Lineage: what a kit was made from, and what was made from it. `kitline.trace_lineage` asks."""
