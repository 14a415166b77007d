"""Signals by HTTP: a person opens the link of a mail and confirms, and the saga goes on.

An ASGI application answers the links that ``context().wait_url`` makes.
"""

from amends.http.application import LinkApp, http_app

__all__ = ["LinkApp", "http_app"]
