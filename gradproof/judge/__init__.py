"""Numbers and formulas to verdicts."""
