"""The setting `amends_console`: a mapping of options."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self
from urllib.parse import urlsplit

from celery import Celery

from amends.backend.settings import settings_of
from amends.console.access.roles import Role
from amends.errors import ConfigurationError, did_you_mean

_SHORTEST_KEY: Final = 32


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """How people sign in at an OpenID Connect provider. Its texts are the provider's own words."""

    metadata_url: str  #: Of the provider's ``.well-known/openid-configuration``.
    client_id: str
    client_secret: str = field(repr=False)
    #: Roles by the values of the claim `roles_claim`. Who has none of them is refused.
    roles: Mapping[str, str]
    roles_claim: str = "groups"
    login_claim: str = "email"  #: What the history keeps as ``by``.
    scope: str = "openid email profile"

    def __post_init__(self) -> None:
        for value, role in self.roles.items():
            if role not in [*Role]:
                raise ConfigurationError(
                    f"amends_console: oidc gives {value!r} the role {role!r}{did_you_mean(role, [*Role])}; there are {', '.join(Role)}"
                )


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """Options of the console. Times are seconds."""

    #: Path of the file of logins, or ``env://NAME`` for a variable that has its text.
    users: str | None = None
    oidc: Oidc | None = None
    #: Secret that signs cookies, the same for all processes. By default a random one: a restart signs everybody out.
    key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    session: float = 8 * 3600.0  #: After so long a person signs in again.
    #: Links of a saga's page by their texts: URLs with ``{saga_id}``, or ``{trace_id}`` for sagas that have a trace.
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether nobody signs in."""
        return self.users is None and self.oidc is None

    @classmethod
    def of(cls, app: Celery) -> Self:
        """Read the setting of an app. Raises `ConfigurationError` for an option that is unknown or wrong."""
        given = settings_of(app).console or {}
        if not isinstance(given, Mapping):
            raise ConfigurationError(f"amends_console is {given!r}, not a mapping of options")
        found = {name: value for name, value in given.items() if value is not None}
        if oidc := found.get("oidc"):
            found["oidc"] = _made(Oidc, oidc, "amends_console: oidc")
        options: Self = _made(cls, found, "amends_console")
        _check(options)
        return options


def _made(kind: type[Any], given: Any, where: str) -> Any:
    """Make options of a mapping. Raises `ConfigurationError` for one that is unknown or missing."""
    known = [each.name for each in fields(kind)]
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where} is {given!r}, not a mapping of options")
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), known) or f"; known: {', '.join(known)}"
            raise ConfigurationError(f"{where} has no option {name!r}{hint}")
    try:
        return kind(**given)
    except TypeError as error:  # by Python's words for arguments that are missing
        raise ConfigurationError(f"{where} lacks options: {error}") from error


def _check(options: ConsoleOptions) -> None:
    if options.users is not None and options.oidc is not None:
        raise ConfigurationError(
            "amends_console has both users and oidc: people sign in by one of them"
        )
    if not isinstance(options.key, str) or len(options.key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"amends_console: key is no secret of {_SHORTEST_KEY} or more characters:"
            ' python -c "import secrets; print(secrets.token_urlsafe(32))" makes one'
        )
    if (
        isinstance(options.session, bool)
        or not isinstance(options.session, int | float)
        or options.session <= 0
    ):
        raise ConfigurationError(
            f"amends_console: session is {options.session!r}, not a number above 0"
        )
    for text, url in options.links.items():
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigurationError(
                f"amends_console: the link {text!r} leads to {url!r}, which is no http URL"
            )
