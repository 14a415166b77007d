"""One Lua file per atomic transition, by its name.

A file that says ``--! include saga`` gets that file's text put before its own.
"""

import hashlib
from importlib.resources import files
from typing import Final

_INCLUDE: Final = "--! include "


def _load() -> dict[str, str]:
    texts = {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for file in files(__name__).iterdir()
        if file.name.endswith(".lua")
    }
    scripts = {}
    for name, text in texts.items():
        included = [
            texts[line.removeprefix(_INCLUDE).strip()]
            for line in text.splitlines()
            if line.startswith(_INCLUDE)
        ]
        scripts[name] = "\n".join([*included, text])
    return scripts


SCRIPTS: Final = _load()

DIGESTS: Final = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    for name, text in SCRIPTS.items()
}
"""What Redis calls each script."""
