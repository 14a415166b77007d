"""The same messages for less, where broker and log are Redis. Uses insides of Celery, kombu and redis-py."""
