"""Reports of `edgecheck size`."""
