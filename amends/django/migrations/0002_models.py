"""The models behind the admin's pages. The outbox's table is there already, and sagas have none."""

from typing import Final

from django.db import migrations, models

_MODELS: Final = [
    migrations.CreateModel(
        name="Saga",
        fields=[
            ("id", models.CharField(max_length=128, primary_key=True, serialize=False)),
        ],
        options={
            "managed": False,
            "default_permissions": ("view",),
            "base_manager_name": "objects",
        },
    ),
    migrations.CreateModel(
        name="OutboxEntry",
        fields=[
            ("entry_id", models.CharField(max_length=32, primary_key=True, serialize=False)),
            ("namespace", models.CharField(max_length=64)),
            ("saga_id", models.CharField(max_length=128)),
            ("saga", models.CharField(max_length=255)),
            ("document", models.TextField()),
            ("written_at", models.FloatField()),
            ("due_at", models.FloatField()),
            ("tries", models.IntegerField()),
            ("error", models.CharField(max_length=2000)),
        ],
        options={
            "verbose_name": "start in the outbox",
            "verbose_name_plural": "starts in the outbox",
            "db_table": "amends_outbox",
            "ordering": ("written_at",),
            "default_permissions": ("view",),
        },
    ),
]


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """The second migration, of which the database sees nothing."""

    dependencies: Final = [("amends", "0001_outbox")]
    operations: Final = [migrations.SeparateDatabaseAndState(state_operations=_MODELS)]
