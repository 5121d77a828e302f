"""kitline: one digest from data to production."""
