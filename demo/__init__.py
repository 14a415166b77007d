"""The whole system on one machine: Redis, services, workers and Flower, started by one command."""
