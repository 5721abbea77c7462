"""Exercises: a network's formulas to blanks, and answers to marks."""
