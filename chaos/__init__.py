"""The order system under faults: ``python -m chaos`` kills at random, and then compares the log with the ledger.

:mod:`chaos.system` runs the system with every part separately killable; tests use it too.
"""
