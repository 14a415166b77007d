"""The whole system on one machine: Redis, services, workers, Flower and metrics, started by one command."""
