"""Trust: what others say of a kit, and whether it can be believed."""
