import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_tests.settings")
app = Celery("site_of_tests")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
