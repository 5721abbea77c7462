"""A project's own gradient tests to the wrong gradients that they would let pass."""
