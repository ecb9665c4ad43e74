"""Reports of `edgecheck fit`."""
