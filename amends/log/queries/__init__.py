"""Reads over many sagas."""
