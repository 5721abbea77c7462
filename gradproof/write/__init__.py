"""Index equations to the notation of a page, and back."""
