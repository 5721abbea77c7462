"""The language: index equations, as frozen data. Standard library only."""
