"""Where the time of a saga went, as text and as JSON."""
