"""Replaces `${NAME}` in the texts of YAML files, reports missing variables, and keeps their values out of messages.

`${NAME}` in a text is replaced by the environment variable, `${NAME:-default}` by the default if the
variable is unset or empty; `$${` writes the characters `${`. The result is always text. Keys are not
replaced. A variable that is not set is an error. No message shows the value of a variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dq_pipelines.config import withheld
from dq_pipelines.config.settings import DEFAULTS
from dq_pipelines.errors import nearest

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-(?:(?!\$\{)[^}])*)?\}|(?P<broken>[^}]*\}?))"
)

#: Characters. Shorter pieces of a value reveal nothing, and occur in any sentence.
_REVEALING = 6


@dataclass(frozen=True)
class Interpolated:
    """A text with its references replaced."""

    #: as written in the file
    raw: str
    #: as the program uses it
    text: str
    #: the values from the environment; never shown
    secrets: tuple[str, ...]
    #: one sentence per reference without a value
    missing: tuple[str, ...]

    def hidden_in(self, message: str) -> str:
        """`message` with the raw text in place of the value; a generic sentence if it would still show a part of it."""
        if not self.secrets:
            return message
        head, got, _ = message.rpartition(", got ")
        if got and self._shows(message.removeprefix(head)):
            message = f"{head}, got {self.raw!r}"
        for shape in (self.text, repr(self.text)[1:-1]):
            if len(shape) >= _REVEALING:
                message = message.replace(shape, self.raw)
        return (
            f"wanted another value than {self.raw!r} gives" if self._shows(message.replace(self.raw, "")) else message
        )

    def _shows(self, message: str) -> bool:
        return any(_shares(secret, message) for secret in self.secrets)


def _shares(secret: str, message: str) -> bool:
    """Whether `message` contains a revealing piece of `secret`, plain or as repr() writes it."""
    for shape in {secret, repr(secret)[1:-1]}:
        size = min(len(shape), _REVEALING)
        if size and any(shape[start : start + size] in message for start in range(len(shape) - size + 1)):
            return True
    return False


def names_in(text: str) -> set[str]:
    """The environment variables that a text refers to."""
    return {match["name"] for match in _REFERENCE.finditer(text) if match["name"]}


def interpolate(text: str, environment: Mapping[str, str] | None = None) -> Interpolated:
    """Replace `${NAME}` and `${NAME:-default}` in `text`, and `$${` by `${`.

    A reference without a value stays, and `missing` has a sentence for it.
    """
    variables = withheld.environment() if environment is None else environment
    secrets: list[str] = []
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match["name"] is None:
            missing.append(
                f"wanted ${{NAME}} or ${{NAME:-default}}, got '{match[0]}' (write $${{ for the characters ${{)"
            )
            return match[0]
        found = variables.get(match["name"])
        if found:
            secrets.append(found)
            return found
        if match["default"] is not None:
            return match["default"][2:]
        if match["name"] in DEFAULTS:
            return DEFAULTS[match["name"]]
        if found is not None:
            return found
        missing.append(_missing(match["name"], sorted({*variables, *DEFAULTS})))
        return match[0]

    return Interpolated(text, _REFERENCE.sub(value, text), tuple(secrets), tuple(missing))


def _missing(name: str, known: Sequence[str]) -> str:
    # Only our own variables are suggested: names of others must not get into logs.
    ours = [each for each in known if each.startswith("DQ_")]
    return f"wanted the environment variable {name}, found none{nearest(name, ours)}"
