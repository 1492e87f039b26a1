"""The virtual-clock shell around the same core, for tests and for studies."""
