"""Forms of acts, read."""

from starlette.datastructures import FormData
from starlette.requests import Request

from amends.console.access.sign_in import person_of
from amends.console.pages.page import tell


def text_of(form: FormData, name: str) -> str:
    """Return a field without blanks around it; '' without it, and for a file."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


async def signed_form(request: Request) -> dict[str, str] | None:
    """Read a form with a reason: its fields, and ``by``. Without a reason nothing is done, and the next page says so: None."""
    form = await request.form()
    if not text_of(form, "why"):
        tell(request, "Nothing was done: say why; the history keeps it.", kind="error")
        return None
    given = {name: text_of(form, name) for name in ("act", "name", "why", "lasts")}
    return {**given, "by": person_of(request).login}
