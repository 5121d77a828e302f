"""MLflow models and runs as ModelKits."""
