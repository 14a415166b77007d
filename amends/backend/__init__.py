"""The settings, and the Redis that they name."""
