"""Networks with their published formulas, one a file."""
