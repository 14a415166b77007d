"""The app of Django's: ``INSTALLED_APPS = [..., "amends.django"]`` gives the migration of the outbox's table."""
