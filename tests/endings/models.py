"""What the activities take and return."""

import sys
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_serializer


class Ask(BaseModel):
    """In which way which of a saga's calls is to end; the others end well."""

    way: str
    at: str


class Made(BaseModel):
    """An output that takes whatever there is."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    value: Any = None
    number: float = 0.0


class Checked(Made):
    """One whose validator exits."""

    @field_validator("number")
    @classmethod
    def check(cls, _number: float) -> float:
        """Exit."""
        sys.exit(4)


class Undumpable(Made):
    """One whose serializer gives up."""

    @model_serializer
    def dump(self) -> dict[str, Any]:
        """Give up."""
        raise KeyboardInterrupt


class Outcome(BaseModel):
    """A saga's output."""

    outcome: str
