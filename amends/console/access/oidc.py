"""Sign-in by an OpenID Connect provider, by Authlib."""

import logging
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from httpx import HTTPError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.auth import AdminUser, OAuthProvider, login_not_required
from starlette_admin.helpers import index_url, safe_redirect_url

from amends.console.access import session
from amends.console.access.options import Oidc
from amends.console.access.roles import Person, Role, highest
from amends.console.access.sign_in import ConsoleUser

_MARK: Final = "oidc"
_NEXT: Final = "amends_next"

_logger = logging.getLogger(__name__)


class OidcSignIn(OAuthProvider):
    """Sign-in at a provider: the code flow with PKCE. A role comes from a claim, and lasts as long as the session.

    options: the provider's.
    lasts: seconds of a session.
    """

    def __init__(self, options: Oidc, *, lasts: float) -> None:
        super().__init__()
        self._options = options
        self._lasts = lasts
        self._client = OAuth().register(
            "amends",
            client_id=options.client_id,
            client_secret=options.client_secret,
            server_metadata_url=options.metadata_url,
            client_kwargs={"scope": options.scope, "code_challenge_method": "S256"},
        )

    async def redirect_to_provider(self, request: Request, callback_url: str) -> Response:
        """Lead to the provider. Where that does not answer there is no sign-in now."""
        # A provider compares the address letter by letter with the one that it was told: the page goes with the session.
        request.session[_NEXT] = request.query_params.get("next", "")
        address = callback_url.partition("?")[0]
        try:
            answer: Response = await self._client.authorize_redirect(request, address)
        except (HTTPError, AuthlibBaseError, RuntimeError, ValueError) as error:
            raise _away(error) from error
        return answer

    @login_not_required
    async def render_callback(self, request: Request) -> Response:
        """Begin a session for who comes back, and lead to the page that was asked for."""
        asked, fallback = request.session.get(_NEXT, ""), index_url(request)
        await self.handle_callback(request)
        return RedirectResponse(
            safe_redirect_url(asked or fallback, request, fallback), status_code=303
        )

    async def handle_callback(self, request: Request) -> None:
        """Begin a session for who comes back from the provider, unless no role is theirs."""
        try:
            token = await self._client.authorize_access_token(request)
        except (HTTPError, RuntimeError) as error:
            raise _away(error) from error
        except (
            Exception
        ) as error:  # an answer may be wrong in as many ways as two libraries have errors
            _logger.warning("a sign-in failed at the provider: %s", error)
            raise HTTPException(403, "The sign-in failed. Begin it anew.") from error
        claims = token.get("userinfo") or {}
        login, role = self._login_of(claims), self._role_of(claims)
        if login is None or role is None:
            _logger.warning("%s signed in at the provider and has no role here", login)
            raise HTTPException(
                403, "You have no role in this console. Ask whoever runs it for one."
            )
        session.begin(request, login, role, _MARK)

    async def logout(self, request: Request) -> Response | None:
        """End the session."""
        session.end(request)
        return None

    async def authenticate(self, request: Request) -> AdminUser | None:
        """Return who sent a request, with the role of the sign-in."""
        kept = session.signed_in(request, self._lasts)
        if kept is None or kept["mark"] != _MARK:
            return None
        return ConsoleUser(Person(login=kept["login"], role=Role(kept["role"])))

    def _login_of(self, claims: dict[str, Any]) -> str | None:
        """Return the login; an address that the provider has not verified is nobody's."""
        name = self._options.login_claim
        if name == "email" and claims.get("email_verified") is False:
            return None
        found = claims.get(name)
        return found[:128] if isinstance(found, str) and found else None

    def _role_of(self, claims: dict[str, Any]) -> Role | None:
        given = claims.get(self._options.roles_claim)
        values = [str(each) for each in (given if isinstance(given, list) else [given])]
        roles = [Role(self._options.roles[each]) for each in values if each in self._options.roles]
        return highest(roles)


def _away(error: Exception) -> HTTPException:
    _logger.warning("nobody can sign in, for the provider does not answer: %s", error)
    return HTTPException(503, "The sign-in's provider does not answer. Try again in a moment.")
