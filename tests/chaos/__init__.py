"""The order system under faults: ``python -m tests.chaos`` kills at random, and then compares the log with the ledger.

:mod:`tests.chaos.system` runs the system with every part separately killable; tests use it too.
"""
