"""Traces: a saga belongs to the trace of the request that started it, whichever tool keeps it."""
