"""Functions with a backward pass of their own, checked from outside."""
