"""Kubeflow Pipelines components that hand on the digest of a ModelKit."""
