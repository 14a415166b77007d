"""A shop: its API, and the worker that carries its orders out."""
