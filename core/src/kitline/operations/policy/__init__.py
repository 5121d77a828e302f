"""The gate on use: what policies say of a kit before anything uses it."""
