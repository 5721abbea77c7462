"""Programs to derivations."""

from gradproof.derivation.adjoint import SYMBOLS, derive

__all__ = ["SYMBOLS", "derive"]
