"""The whole system on one machine: a Redis, the services, the workers and Flower, started by one command.

``python -m demo up`` stays until Ctrl-C, ``python -m demo demo`` runs orders through it and ends. Tests use
:func:`demo.redis.running` and :func:`demo.stack.running`.

Whoever enters one of these contexts *owns* what it starts: nothing outlives its owner, however the owner ends
(:mod:`demo.leash` says how).
"""
