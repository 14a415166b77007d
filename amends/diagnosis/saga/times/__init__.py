"""Where the time of a saga went, from its start to its end or to now: by cause, and as segments of a time line."""
