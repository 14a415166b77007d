"""Settings; the variables of the environment are a test's."""

import json
import os
from pathlib import Path

SECRET_KEY = "of tests alone"  # noqa: S105
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "site_of_tests.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "amends.django",
    "orders",
    "plain",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
FILE = Path(__file__).parent.parent / "site.sqlite3"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FILE}}
if port := os.environ.get("POSTGRES_PORT"):
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": port,
        "USER": "nobody",
        "NAME": "postgres",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": os.environ.get("APPLICATION", "site")},
    }
CELERY_BROKER_URL = os.environ.get("BROKER", "memory://")
CELERY_AMENDS_BACKEND = os.environ.get("LOG", "memory://of-tests")
CELERY_AMENDS_OUTBOX_URL = "django://default"
CELERY_AMENDS_SWEEP_INTERVAL = 0.5
# What one test alone sets, JSON.
globals().update(json.loads(os.environ.get("SETTINGS", "{}")))
