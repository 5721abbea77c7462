"""Verdicts to reports."""
