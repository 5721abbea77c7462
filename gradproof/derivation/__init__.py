"""Programs to derivations."""

from gradproof.derivation.adjoint import derive

__all__ = ["derive"]
