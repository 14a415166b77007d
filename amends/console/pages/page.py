"""What all pages have in common: who sees them, their templates, and what they say of errors."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin import CustomView
from starlette_admin.flash import flash, get_flashed_messages
from starlette_admin.routing import route

from amends.console.access.options import ConsoleOptions
from amends.console.access.roles import Person
from amends.console.access.sign_in import person_of
from amends.console.reads import Reads
from amends.errors import SagaError, UnknownSaga

P = TypeVar("P", bound="ConsolePage")
Handler = Callable[[P, Request], Awaitable[Response]]


class ConsolePage(CustomView):
    """A page, or several under one path.

    reads: the log.
    options: of the console.
    """

    def __init__(self, reads: Reads, options: ConsoleOptions) -> None:
        super().__init__()
        self.reads = reads
        self.options = options

    def show(
        self, request: Request, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        """Answer with a page."""
        frame = {
            "person": person_of(request),
            "active": type(self).path,
            "flashed_messages": get_flashed_messages(request),
        }
        shown = {**frame, **context}
        assert self.templates is not None  # noqa: S101 - starlette-admin sets them with the route
        return self.templates.TemplateResponse(request, template, shown, status_code=status)


def page(
    path: str, *, methods: tuple[str, ...] = ("GET",), name: str, needs: str | None = None
) -> Callable[[Handler[P]], Handler[P]]:
    """Make a method the handler of a path.

    path: behind that of the view.
    name: of the route.
    needs: a `Right`, without which the answer is 403.
    """

    def decorate(handler: Handler[P]) -> Handler[P]:
        @wraps(handler)
        async def answer(self: P, request: Request) -> Response:
            if needs is not None:
                check_right(person_of(request), needs)
            try:
                return await handler(self, request)
            except UnknownSaga as error:
                raise HTTPException(404, str(error)) from error
            except SagaError as error:
                raise HTTPException(503, str(error)) from error

        made: Handler[P] = route(path, methods=[*methods], name=name)(answer)
        return made

    return decorate


def check_right(person: Person, right: str) -> None:
    """Refuse with 403 what a role does not give."""
    if not person.may(right):
        raise HTTPException(
            403,
            f"{person.login} is {person.role} here, and {right} is of another role. Nothing was done.",
        )


def lead_to(request: Request, name: str, **parts: Any) -> RedirectResponse:
    """Lead to a page after something was done."""
    return RedirectResponse(path_of(request, name, **parts), status_code=303)


def path_of(request: Request, name: str, **parts: Any) -> str:
    """Return the path of a page, wherever the console is mounted."""
    return request.url_for(f"amends:{name}", **parts).path


def tell(request: Request, text: str, *, kind: str) -> None:
    """Say something on the next page. kind: ``success``, ``warning`` or ``error``."""
    flash(request, text[:1000], kind)
