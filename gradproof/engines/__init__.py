"""The user's own function to arrays: its values and gradients, as a framework computes them."""

from gradproof.engines.engine import ENGINES, Engine, Run, installed, load

__all__ = ["ENGINES", "Engine", "Run", "installed", "load"]
