"""The catalog, without I/O."""
