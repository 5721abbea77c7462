"""Programs to derivations."""

from gradproof.derive.adjoint import derive

__all__ = ["derive"]
