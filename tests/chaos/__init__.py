"""The order system under faults: ``python -m tests.chaos`` kills at random, then compares the log with the ledger."""

SETTINGS = "CHAOS_SETTINGS"
"""The variable of a worker's environment with Celery's settings for the broker of a run, as JSON."""
