"""Celery's app. What differs between machines comes from the environment."""

import os

from celery import Celery

from shop.database import DATABASE_URL

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")

app = Celery("shop", broker=f"{REDIS_URL}/0", include=["shop.sagas"])
app.conf.amends_backend = f"{REDIS_URL}/1"
app.conf.amends_outbox_url = DATABASE_URL
