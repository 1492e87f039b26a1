"""What membership must reach, measured: `make membership` writes docs/membership.md."""
