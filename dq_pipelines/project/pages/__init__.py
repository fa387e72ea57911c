"""The generated pages of `docs/`: what `dq docs` writes and checks."""
