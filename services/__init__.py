"""The sandbox microservices behind the order system: HTTP, a real database, faults on demand.

Inventory, payments (two channels), a bank, shipping, notifications and an external echo, served on one
port by ``python -m services``. They know nothing of the sagas that call them.
"""
