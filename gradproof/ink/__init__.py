"""Notation to characters."""
