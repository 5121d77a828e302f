"""DVC dataset revisions as ModelKits, and back."""
