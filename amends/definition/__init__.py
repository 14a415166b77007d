"""A saga as data: steps, states, retry numbers, input mapping. Knows no Redis and no Celery."""
