"""The token of a link: what reads back, and what is none."""

import hmac
import string
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.definition.wait_token import WaitLink, nonce_of
from tests.support.link_client import link_of

KEY, OTHER = "a" * 32, "b" * 32
SAFE = frozenset(string.ascii_letters + string.digits + "-_.")


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    by=st.none() | st.text(),
)
def test_a_link_reads_back_as_it_was_and_fits_a_url(value, by):
    link = link_of(value=value, by=by)
    token = link.token(KEY)
    assert WaitLink.read(token, [KEY]) == link
    assert set(token) <= SAFE
    assert token[-1].isalnum()


def test_no_other_text_is_the_same_link():
    """Any character of it another one, left out, or one more."""
    token = link_of(by="ada").token(KEY)
    for at, is_now in enumerate(token):
        for other in {*SAFE, "=", " ", chr(ord(is_now) ^ 128)} - {is_now}:
            assert WaitLink.read(token[:at] + other + token[at + 1 :], [KEY]) is None, (at, other)
        assert WaitLink.read(token[:at] + token[at + 1 :], [KEY]) is None
    for more in ("=", ".", "A", " ", "/"):
        assert WaitLink.read(token + more, [KEY]) is None
        assert WaitLink.read(more + token, [KEY]) is None


@given(st.text() | st.text(SAFE))
def test_what_nobody_signed_is_no_link(text):
    assert WaitLink.read(text, [KEY]) is None


@pytest.mark.parametrize(
    ("keys", "is_read"), [([KEY], True), ([OTHER, KEY], True), ([OTHER], False)]
)
def test_each_key_verifies(keys, is_read):
    assert (WaitLink.read(link_of().token(KEY), keys) is not None) is is_read


def test_a_signature_that_the_key_made_for_something_else_is_none():
    text = link_of().token(KEY).partition(".")[0]
    signature = hmac.digest(KEY.encode(), text.encode(), "sha256")
    token = f"{text}.{urlsafe_b64encode(signature).decode().rstrip('=')}"
    assert WaitLink.read(token, [KEY]) is None


def test_a_nonce_is_the_same_for_the_same_and_another_for_another():
    assert nonce_of("a", 1) == nonce_of("a", 1)
    assert len({nonce_of("a", 1), nonce_of("a", 2), nonce_of("a1"), nonce_of(["a"], 1)}) == 4
