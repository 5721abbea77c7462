"""Data and a precision to the known mistakes that checks there cannot see."""
