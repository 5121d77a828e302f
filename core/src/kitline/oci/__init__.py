"""OCI's words as frozen values: digests, descriptors, manifests, references. No I/O."""
