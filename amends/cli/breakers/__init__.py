"""The commands on circuit breakers."""
