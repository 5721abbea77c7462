"""A refuted formula as a small file, and the check of such a file."""
