"""The page that a person sees: plain HTML without a script, and nothing from elsewhere."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from amends.definition.serialization import canonical_json
from amends.definition.wait_token import WaitLink
from amends.http.answers import Answer, words

_STYLE: Final = """
:root { color-scheme: light dark; --line: #d0d7de; --ink: #1f2328; --soft: #59636e; --card: #fff; --back: #f6f8fa; --go: #1f6feb }
@media (prefers-color-scheme: dark) {
  :root { --line: #3d444d; --ink: #f0f6fc; --soft: #9198a1; --card: #151b23; --back: #0d1117 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 30rem; margin: 8vh auto 0; padding: 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere }
p { margin: .75rem 0 0 }
dl { margin: 1rem 0 0; border-top: 1px solid var(--line) }
dl div { display: flex; gap: 1rem; justify-content: space-between; padding: .5rem 0; border-bottom: 1px solid var(--line) }
dt { color: var(--soft) }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; font-weight: 600 }
button { width: 100%; margin-top: 1.5rem; padding: .75rem; border: 0; border-radius: .5rem; background: var(--go); color: #fff; font: inherit; font-weight: 600; cursor: pointer }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px }
.note { color: var(--soft); font-size: .875rem }
"""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy: this style, a form that leads back here, no frame around it, and nothing else."""


def html_of(answer: Answer) -> str:
    """Write the page of an answer."""
    asked = "".join(_form(answer.asks)) if answer.asks else ""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(answer.title)}</title>\n<style>{_STYLE}</style>\n"
        f"<main>\n<h1>{escape(answer.title)}</h1>\n<p>{escape(answer.said)}</p>\n{asked}</main>\n</html>\n"
    )


def _form(link: WaitLink) -> Iterator[str]:
    yield "<dl>\n"
    for name, value in _rows(link):
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n"
    yield "</dl>\n"
    # Without an action it leads to the page's own address, whatever the proxies before it call that.
    yield '<form method="post"><button>Confirm</button></form>\n'
    until = datetime.fromtimestamp(link.expires_at, UTC)
    yield f'<p class="note">The answer counts once, and the link expires on {until:%d %B %Y, %H:%M} UTC.</p>\n'


def _rows(link: WaitLink) -> Iterator[tuple[str, str]]:
    yield words(link.saga), link.saga_id
    given = link.value if isinstance(link.value, dict) else {link.wait: link.value}
    for name, value in given.items():
        yield words(name), _text(value)
    if link.by is not None:
        yield "Given by", link.by


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "none"
    return canonical_json(value)
