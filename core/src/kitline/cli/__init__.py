"""The command line: one module per verb; each parses, calls an operation and prints."""
