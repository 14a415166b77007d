"""How people sign in: by password, by an OpenID Connect provider, or not at all on a machine of one's own."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.auth import AdminUser, AuthProvider, BaseAuthProvider
from starlette_admin.exceptions import LoginFailed

from amends.asynchronous.threads import NoThread, Threads
from amends.console.access import session
from amends.console.access.roles import Person, Role
from amends.console.access.users import Users

_PASSWORDS: Final = Threads("amends-console-passwords", at_most=2)
"""A hash takes 64 MB and some 50 ms: more at once would let guesses crowd the pages out."""


class ConsoleUser(AdminUser):
    """The person of a request, as starlette-admin keeps one."""

    def __init__(self, person: Person) -> None:
        super().__init__(username=person.login)
        self.person = person


def person_of(request: Request) -> Person:
    """Return who sent a request that was let through."""
    user: ConsoleUser = request.state.admin_user
    return user.person


class PasswordSignIn(AuthProvider):
    """Sign-in by the passwords of a file.

    users: the file.
    lasts: seconds of a session.
    """

    def __init__(self, users: Users, *, lasts: float) -> None:
        super().__init__()
        self._users = users
        self._lasts = lasts

    async def login(
        self,
        username: str,
        password: str,
        remember_me: bool,  # noqa: ARG002, FBT001 - starlette-admin's
        request: Request,
    ) -> Response | None:
        """Begin a session. Raises ``LoginFailed``."""
        try:
            user = await _PASSWORDS.run(lambda: self._users.check(username, password))
        except NoThread as error:
            raise LoginFailed("Too many people sign in at this moment. Try again.") from error
        if user is None:
            raise LoginFailed("This login and password do not go together.")
        session.begin(request, user.person.login, user.person.role, user.mark)
        return None

    async def logout(self, request: Request) -> Response | None:
        """End the session, and show the page on which people sign in."""
        session.end(request)
        return None

    async def authenticate(self, request: Request) -> AdminUser | None:
        """Return who sent a request: with the role that the file gives now, and nobody whose line has changed since."""
        kept = session.signed_in(request, self._lasts)
        user = self._users.read().get(kept["login"]) if kept else None
        if user is None or kept is None or kept["mark"] != user.mark:
            return None
        return ConsoleUser(user.person)


class NoSignIn(BaseAuthProvider):
    """Everybody is who runs the console, with every right: `LoopbackOnly` lets this machine alone through.

    login: name of who runs it, for the history.
    """

    def __init__(self, login: str) -> None:
        super().__init__()
        self._user = ConsoleUser(Person(login=login, role=Role.ADMIN))

    async def authenticate(self, request: Request) -> AdminUser | None:  # noqa: ARG002
        """Return who runs the console."""
        return self._user
