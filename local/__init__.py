"""The whole system on one machine: a Redis, the services, the workers and Flower, started by one command.

``python -m local up`` stays until Ctrl-C, ``python -m local demo`` runs orders through it and ends. Tests use
:func:`local.redis.running` and :func:`local.stack.running`.

Whoever enters one of these contexts *owns* what it starts: nothing outlives its owner, however the owner ends
(:mod:`local.leash` says how).
"""
