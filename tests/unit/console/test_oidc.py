"""Sign-in at an OpenID Connect provider, which runs beside the console."""

import httpx
import pytest
from joserfc.jwk import RSAKey

from tests.support.console import visiting
from tests.support.oidc_provider import providing

ADA = {"sub": "1", "email": "ada@shop.example", "email_verified": True, "groups": ["sre", "staff"]}


@pytest.fixture
def provider(app):
    with providing() as provider:
        provider.claims = dict(ADA)
        app.conf.amends_console = {
            "oidc": {
                "metadata_url": f"{provider.url}/.well-known/openid-configuration",
                "client_id": "amends",
                "client_secret": "secret",
                "roles": {"staff": "viewer", "sre": "operator"},
            }
        }
        yield provider


def sign_in(client, path="/sagas"):
    """Go to a page, to the provider that it leads to, and back."""
    login = client.get(path, follow_redirects=False).headers["location"]
    to_provider = client.get(login, follow_redirects=False)
    if to_provider.status_code != 302:
        return to_provider
    back = httpx.get(to_provider.headers["location"]).headers["location"]
    return client.get(back)


def test_who_signs_in_at_the_provider_has_the_highest_role_of_their_groups(app, provider):
    with visiting(app) as client:
        page = sign_in(client)
        assert page.url.path == "/sagas"
        assert "ada@shop.example" in page.text
        assert ">operator<" in page.text


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": ["guests"]},
        {"groups": None},
        {"email": None},
        {"email_verified": False},
        {"nonce": "of another sign-in"},
        {"aud": "another client"},
        {"iss": "http://evil.example"},
        {"exp": 1},
    ],
)
def test_who_has_no_role_or_whose_token_is_not_for_us_is_refused(app, provider, claims):
    provider.claims |= claims
    with visiting(app) as client:
        assert sign_in(client).status_code in (403, 503)
        assert client.get("/sagas", follow_redirects=False).status_code == 303


def test_a_token_that_another_key_signed_is_refused(app, provider):
    provider.signs = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
    with visiting(app) as client:
        assert sign_in(client).status_code in (403, 503)
        assert client.get("/sagas", follow_redirects=False).status_code == 303


def test_a_callback_that_nobody_asked_for_is_refused(app, provider):
    with visiting(app) as client:
        answer = client.get("/oauth/callback?code=x&state=y", follow_redirects=False)
        assert answer.status_code == 403


def test_a_provider_that_is_away_is_said(app, provider):
    oidc = {**app.conf.amends_console["oidc"], "metadata_url": "http://127.0.0.1:1/x"}
    app.conf.amends_console = {"oidc": oidc}
    with visiting(app) as client:
        answer = sign_in(client)
        assert (answer.status_code, "does not answer" in answer.text) == (503, True)
