"""The file of logins and passwords.

A line for each person, ``login:role:hash``; empty lines and those that begin with ``#`` are skipped. Hashes are Argon2's, as
``celery saga console password`` prints them.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from amends.console.access.roles import Person, Role
from amends.errors import ConfigurationError, did_you_mean

_LOGIN: Final = re.compile(r"[^\s:#][^\s:]{0,127}")
_ENVIRONMENT: Final = "env://"
SHORTEST: Final = 8
"""Characters of a password at least."""

_HASHER: Final = PasswordHasher()
_NOBODY: Final = _HASHER.hash(os.urandom(16).hex())
"""What the password of an unknown login is compared with: the answer takes as long as for a known one."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A line of the file."""

    person: Person
    hashed: str = field(repr=False)

    @property
    def mark(self) -> str:
        """What a session keeps of the password: another one, or another role, ends the session."""
        text = f"{self.person.role}:{self.hashed}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Users:
    """The people of a file, read anew when it has changed.

    source: path of the file, or ``env://NAME`` for a variable that has its text.

    Raises `ConfigurationError` where it cannot be read, or a line is none.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._stamp: object = None
        self._users: Mapping[str, User] = {}
        self.read()

    def read(self) -> Mapping[str, User]:
        """Return the people by their logins."""
        stamp = self._changed()
        if stamp != self._stamp:
            self._users = read_users(self._text(), self._source)
            self._stamp = stamp
        return self._users

    def check(self, login: str, password: str) -> User | None:
        """Return who has this login and password; None for nobody."""
        user = self.read().get(login)
        try:
            _HASHER.verify(user.hashed if user else _NOBODY, password)
        except (Argon2Error, InvalidHashError):
            return None
        return user

    def _changed(self) -> object:
        if self._source.startswith(_ENVIRONMENT):
            return self._text()
        try:
            stat = Path(self._source).stat()
        except OSError as error:
            raise self._unreadable(error) from error
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _text(self) -> str:
        if self._source.startswith(_ENVIRONMENT):
            name = self._source.removeprefix(_ENVIRONMENT)
            if not os.environ.get(name, "").strip():
                raise ConfigurationError(
                    f"amends_console: the environment variable {name}, which is to have the logins, is not set"
                )
            return "\n".join(os.environ[name].split())
        try:
            return Path(self._source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"amends_console: the file of logins {self._source!r} cannot be read: {error}; `celery saga console password` prints a line of it"
        )


def read_users(text: str, source: str) -> Mapping[str, User]:
    """Read the lines of a file. Raises `ConfigurationError` for one that is none, by its number and without its hash."""
    found: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        login, role, hashed = ([*line.strip().split(":", 2), "", ""])[:3]
        where = f"amends_console: line {number} of {source}"
        if not _LOGIN.fullmatch(login) or not hashed.startswith("$argon2"):
            raise ConfigurationError(
                f"{where} is not login:role:hash; `celery saga console password` prints such a line"
            )
        if role not in [*Role]:
            raise ConfigurationError(
                f"{where}: there is no role {role!r}{did_you_mean(role, [*Role])}; there are {', '.join(Role)}"
            )
        if login in found:
            raise ConfigurationError(f"{where}: {login!r} has a line before")
        found[login] = User(person=Person(login=login, role=Role(role)), hashed=hashed)
    if not found:
        raise ConfigurationError(f"amends_console: {source} names nobody")
    return found


def user_line(login: str, role: str, password: str) -> str:
    """Return a line of the file. Raises ``ValueError`` for a login that can be none, and a password that is too short."""
    if not _LOGIN.fullmatch(login):
        raise ValueError(
            f"login {login!r}: use up to 128 characters without blanks, ':' and a leading '#'"
        )
    if len(password) < SHORTEST:
        raise ValueError(f"the password has {len(password)} characters, and {SHORTEST} are needed")
    return f"{login}:{Role(role)}:{_HASHER.hash(password)}"
