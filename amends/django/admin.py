"""The admin's pages: sagas, read from the log, and the starts that wait in the outbox. All are read-only."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import Error, transaction
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from amends.backend.settings import settings_of
from amends.cli.formatting import duration
from amends.django.celery_app import celery_app
from amends.django.checks import outbox_alias
from amends.django.models import OutboxEntry, Saga
from amends.django.saga_detail import SagaDetail
from amends.django.saga_list import SagaList
from amends.errors import SagaError, UnknownSaga
from amends.outbox.database import failure_of


class _ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[misc]  # Django has no types
    """Pages of a model that the admin shows and does not change."""

    actions = None

    def has_add_permission(self, request: Any) -> bool:  # noqa: ARG002 - Django's
        """Return that nobody adds any."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ARG002
        """Return that nobody changes any."""
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ARG002
        """Return that nobody deletes any."""
        return False

    def page(
        self, request: Any, template: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """Return a page of the admin's, with what its frame needs."""
        request.current_app = self.admin_site.name
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        file, known = f"admin/amends/{template}.html", {**frame, **context}
        return TemplateResponse(request, file, known, status=status)

    def away(self, request: Any, error: Exception) -> TemplateResponse:
        """Return the page that says why there is nothing to show."""
        return self.page(request, "away", "Not available", status=503, error=str(error))


@admin.register(Saga)
class SagaAdmin(_ReadOnlyAdmin):
    """The list of sagas, and the page of each."""

    def get_urls(self) -> Sequence[Any]:
        """Return the URLs of both, by the names that Django's own pages have."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self._asked(self._list)), name=f"{name}_changelist"),
            path("<str:saga_id>/change/", wrap(self._asked(self._detail)), name=f"{name}_change"),
        ]

    def _asked(self, view: Callable[..., TemplateResponse]) -> Callable[..., TemplateResponse]:
        """Return a view for those alone who may see sagas, that answers also if the log does not."""

        def answer(request: Any, **arguments: Any) -> TemplateResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            try:
                return view(request, **arguments)
            except UnknownSaga as error:
                raise Http404(str(error)) from error
            except SagaError as error:
                return self.away(request, error)

        return answer

    def _list(self, request: Any) -> TemplateResponse:
        sagas = SagaList(celery_app(), request.GET)
        return self.page(request, "sagas", "Sagas", sagas=sagas, console_url=_console_url())

    def _detail(self, request: Any, saga_id: str) -> TemplateResponse:
        saga = SagaDetail(celery_app(), saga_id)
        return self.page(request, "saga", saga_id, saga=saga, console_url=_console_url())


class _FailingFilter(admin.SimpleListFilter):  # type: ignore[misc]
    """Tells starts that could not be delivered from those that wait."""

    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> Sequence[tuple[str, str]]:
        return [("waiting", "waiting"), ("failing", "failing")]

    def queryset(self, _: Any, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return (
            queryset.filter(error="") if self.value() == "waiting" else queryset.exclude(error="")
        )


@admin.register(OutboxEntry)
class OutboxAdmin(_ReadOnlyAdmin):
    """The starts that wait in the outbox."""

    list_display: Final = ("saga_link", "saga", "age", "due", "tries", "error")
    list_display_links = None
    list_filter: Final = (_FailingFilter, "saga")
    search_fields: Final = ("saga_id", "error")
    search_help_text = "A part of a saga's id or of an error"
    show_full_result_count = False

    def get_queryset(self, request: Any) -> Any:
        """Return the entries, from the database that has the outbox."""
        return super().get_queryset(request).using(outbox_alias()).defer("document")

    def lookup_allowed(self, lookup: str, *how: Any) -> bool:
        """Allow what Django does, but for a URL that asks what a document holds."""
        asks = lookup.partition("__")[0] == "document"
        return not asks and bool(super().lookup_allowed(lookup, *how))

    def get_urls(self) -> Sequence[Any]:
        """Return the URL of the list alone: an entry's document may be private."""
        return [each for each in super().get_urls() if (each.name or "").endswith("_changelist")]

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        """Show the list, or say why it cannot be read."""
        alias = outbox_alias()
        try:  # in a savepoint: a failure leaves the request's own transaction intact
            with transaction.atomic(using=alias):
                title = {"title": "Starts in the outbox", **(extra_context or {})}
                return super().changelist_view(request, title)
        except Error as error:
            return self.away(request, failure_of(error, "let the outbox be read"))

    @admin.display(description="saga id", ordering="saga_id")
    def saga_link(self, entry: OutboxEntry) -> Any:
        """Return the id, with a link to the saga's page, which is there once it is started."""
        name = f"{self.admin_site.name}:amends_saga_change"
        return format_html(
            '<a href="{}">{}</a>', reverse(name, args=[entry.saga_id]), entry.saga_id
        )

    @admin.display(description="waiting", ordering="-written_at")
    def age(self, entry: OutboxEntry) -> str:
        """Return for how long it has waited."""
        return duration(time.time() - entry.written_at)

    @admin.display(description="next try", ordering="due_at")
    def due(self, entry: OutboxEntry) -> str:
        """Return when a relay may take it."""
        left = entry.due_at - time.time()
        return f"in {duration(left)}" if left > 0 else "now"


def _console_url() -> str | None:
    return settings_of(celery_app()).console_url
