"""Where the services listen and where they store, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_PORT = 8080
HIGHEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one server process.

    `host` and `port` are where it listens; port 0 takes any free one. `database_url` is an
    SQLAlchemy URL; a relative SQLite path counts from the working directory.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    database_url: str = "sqlite:///.run/services.db"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read `SERVICES_HOST`, `SERVICES_PORT` and `SERVICES_DATABASE_URL`; an empty one is unset.

    Raises ValueError when the port is no port.
    """
    return Settings(
        host=environment.get("SERVICES_HOST") or Settings.host,
        port=_port(environment.get("SERVICES_PORT") or str(DEFAULT_PORT)),
        database_url=environment.get("SERVICES_DATABASE_URL") or Settings.database_url,
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise ValueError(f"SERVICES_PORT is {text!r}; set it to a number from 0 to {HIGHEST_PORT}.")
    return int(text)
