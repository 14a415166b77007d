"""Products and their orders."""
