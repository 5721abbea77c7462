"""Derivations to source files."""
