"""One Lua file per atomic transition, by its name.

A file that says ``--! include saga`` gets that file's text, and what it includes, put before its own.
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

    def whole(name: str) -> str:
        included = [
            whole(line.removeprefix(_INCLUDE).strip())
            for line in texts[name].splitlines()
            if line.startswith(_INCLUDE)
        ]
        return "\n".join([*included, texts[name]])

    return {name: whole(name) for name in texts}


SCRIPTS: Final = _load()

DIGESTS: Final = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    for name, text in SCRIPTS.items()
}
"""What Redis calls each script."""
