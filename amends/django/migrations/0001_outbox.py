"""The outbox's table."""

from typing import Final

from django.db import migrations

from amends.outbox.django_table import outbox_table


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """The first migration."""

    initial = True
    operations: Final = [outbox_table()]
