"""Running jobs somewhere: local processes first."""
