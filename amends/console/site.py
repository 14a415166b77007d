"""The application: the frame of starlette-admin with pages, templates and sign-in of our own.

Of starlette-admin come the routes and their access checks, the menu, sign-in and sign-out, CSRF protection, and messages to the next
page. Its model views stay unused: their list counts all rows and pages by offset, where the log has cursors; their acts are
answered to scripts alone, and their templates have scripts and styles inline, which a strict Content-Security-Policy refuses.
"""

import getpass
import os
from pathlib import Path
from typing import Final

from celery import Celery
from celery.app import app_or_default
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette_admin import BaseAdmin
from starlette_admin.auth import BaseAuthProvider

from amends.backend.settings import settings_of
from amends.console.access.guards import (
    App,
    LoopbackOnly,
    Message,
    Receive,
    SameOrigin,
    Send,
    StrictHeaders,
)
from amends.console.access.oidc import OidcSignIn
from amends.console.access.options import ConsoleOptions
from amends.console.access.sign_in import NoSignIn, PasswordSignIn
from amends.console.access.users import Users
from amends.console.pages.all import INDEX, PAGES
from amends.console.pages.page import path_of
from amends.console.reads import Reads
from amends.console.views.text import FILTERS
from amends.errors import ConfigurationError

_HERE: Final = Path(__file__).parent


def application(app: Celery | None = None, *, open_on_loopback: bool = False) -> App:
    """Return the console as an ASGI application, to run alone or to mount in another one, at any path.

    app: the Celery app whose sagas it shows; by default the current one. Its setting `amends_console` has the options.
    open_on_loopback: without `users` and `oidc` in the options, let everybody on this machine in as an admin; requests from
        elsewhere get 403. For a console of one's own.

    Raises `ConfigurationError` for settings that are wrong, and without a sign-in unless it is `open_on_loopback`.
    """
    celery = app_or_default(app)
    options = ConsoleOptions.of(celery)
    if options.is_open and not open_on_loopback:
        raise ConfigurationError(
            "nobody signs in to this console: name users or oidc in amends_console; `celery saga console password` makes a"
            " line of the file of users. On this machine alone it runs without"
        )
    celery.loader.import_default_modules()  # circuits, models of payloads, what activities return
    is_secure = (settings_of(celery).console_url or "").startswith("https:")
    admin = BaseAdmin(
        title="Sagas",
        base_url="/",
        route_name="amends",
        templates_dir=str(_HERE / "templates"),
        static_dir=str(_HERE / "static"),
        auth_provider=_sign_in(options),
        secret_key=options.key,
        timezone_config=None,
        index_view=INDEX(Reads(celery), options),
        middlewares=[
            Middleware(
                SessionMiddleware,
                secret_key=options.key,
                session_cookie="amends_session",
                max_age=round(options.session),
                same_site="lax",
                https_only=is_secure,
            )
        ],
    )
    env = admin.templates.env
    env.globals.update(path=path_of, has_sign_in=not options.is_open)
    env.filters.update(FILTERS)
    for each in PAGES:
        admin.add_view(each(Reads(celery), options))
    guards = [Middleware(StrictHeaders), Middleware(SameOrigin)]
    if options.is_open:
        guards.append(Middleware(LoopbackOnly))
    site = Starlette(middleware=guards)
    admin.mount_to(site)
    return _Mounted(site)


class _Mounted:
    """Lets links of the console be its own, wherever it is mounted: Starlette finds names by the outermost application."""

    def __init__(self, site: Starlette) -> None:
        self._site = site

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        own = {name: value for name, value in scope.items() if name not in ("router", "app")}
        own["app_root_path"] = scope.get("root_path", "")
        await self._site(own, receive, send)


def _sign_in(options: ConsoleOptions) -> BaseAuthProvider:
    if options.users is not None:
        return PasswordSignIn(Users(options.users), lasts=options.session)
    if options.oidc is not None:
        return OidcSignIn(options.oidc, lasts=options.session)
    return NoSignIn(_who_runs_it())


def _who_runs_it() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
