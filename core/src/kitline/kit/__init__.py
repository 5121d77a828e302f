"""What makes an OCI artifact a ModelKit: Kitfile, tree of files, layers, pack and unpack."""
