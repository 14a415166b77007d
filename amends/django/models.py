"""The models behind the admin's pages."""

from typing import Any, Final

from django.db import models

from amends.outbox.statements import LONGEST_ERROR, TABLE


class NoRows(models.Manager):  # type: ignore[misc]  # Django has no types
    """Finds nothing, and asks no database: for ``dumpdata`` and its like, which read every model."""

    def get_queryset(self) -> Any:
        """Return an empty query set."""
        return super().get_queryset().none()


class Saga(models.Model):  # type: ignore[misc]
    """A saga of the log, which has no table: the model gives the admin's pages a name and a permission."""

    id = models.CharField(primary_key=True, max_length=128)
    objects = NoRows()

    class Meta:
        """What Django is told of the model."""

        managed = False
        default_permissions = ("view",)
        base_manager_name = "objects"

    def __str__(self) -> str:
        return str(self.id)


class OutboxEntry(models.Model):  # type: ignore[misc]
    """A start that waits in the outbox. The engine reads and writes the table by SQL of its own."""

    entry_id = models.CharField(primary_key=True, max_length=32)
    namespace = models.CharField(max_length=64)
    saga_id = models.CharField(max_length=128)
    saga = models.CharField(max_length=255)
    document = models.TextField()
    written_at = models.FloatField()
    due_at = models.FloatField()
    tries = models.IntegerField()
    error = models.CharField(max_length=LONGEST_ERROR)

    class Meta:
        """What Django is told of the model."""

        db_table = TABLE
        default_permissions = ("view",)
        ordering: Final = ("written_at",)
        verbose_name = "start in the outbox"
        verbose_name_plural = "starts in the outbox"

    def __str__(self) -> str:
        return str(self.saga_id)
