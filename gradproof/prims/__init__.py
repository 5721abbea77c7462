"""The dictionary: one record per primitive."""
