"""The order system under faults: ``python -m tests.chaos`` kills at random, then compares the log with the ledger."""
