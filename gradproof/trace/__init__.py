"""A user's functions to programs."""

from gradproof.trace.paper import trace

__all__ = ["trace"]
