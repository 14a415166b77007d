"""An OpenID Connect provider on this machine, which signs in whoever it is told to."""

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from demo.ports import LOOPBACK
from tests.support.eventually import eventually


class Provider:
    """The provider.

    claims: of the person who signs in next.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.claims: dict[str, Any] = {}
        self.signs = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self._key = self.signs
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        """Return its application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _metadata(self, _: Request) -> Response:
        names = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "keys",
        }
        ends = {name: f"{self.url}/{path}" for name, path in names.items()}
        return JSONResponse(
            {"issuer": self.url, "id_token_signing_alg_values_supported": ["RS256"], **ends}
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked, code = dict(request.query_params), secrets.token_hex(8)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")

    async def _token(self, request: Request) -> Response:
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        asked = self._codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        now = int(time.time())
        own = {
            "iss": self.url,
            "aud": asked["client_id"],
            "iat": now,
            "exp": now + 60,
            "nonce": asked["nonce"],
        }
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, {**own, **self.claims}, self.signs)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})


@contextmanager
def providing() -> Iterator[Provider]:
    """Run a provider while the context is open."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        provider = Provider(f"http://{LOOPBACK}:{listener.getsockname()[1]}")
        config = uvicorn.Config(provider.app(), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        eventually(lambda: server.started)
        yield provider
        server.should_exit = True
        thread.join(30)
