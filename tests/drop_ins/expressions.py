"""The expressions of GitHub's workflows, as far as ours use them: contexts, strings, operators, always()."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<sign>\|\||&&|==|!=|[!()])|(?P<name>[\w.-]+))")
_STATUS = re.compile(r"\b(always|success|failure|cancelled)\(")


def text(value: object) -> str:
    """A value as it stands in a string: null is empty."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def filled(template: object, contexts: Mapping[str, Any]) -> str:
    """A text with each `${{ … }}` evaluated."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: text(evaluate(found[1], contexts)), text(template))


def holds(condition: object, contexts: Mapping[str, Any], *, failed: bool) -> bool:
    """An `if:`, which without a status function of its own includes success()."""
    expression = text(condition).removeprefix("${{").removesuffix("}}") or "success()"
    value = bool(evaluate(expression, {**contexts, "success": not failed, "failure": failed, "always": True}))
    return value and (bool(_STATUS.search(expression)) or not failed)


def evaluate(expression: str, contexts: Mapping[str, Any]) -> Any:
    """The value.

    Raises:
        ValueError: it has something that is not known here.
    """
    tokens: list[str] = []
    rest = expression.strip()
    while rest:
        found = _TOKEN.match(rest)
        if found is None:
            raise ValueError(f"{rest!r} is not known here")
        tokens.append(found[0].strip())
        rest = rest[found.end() :].strip()
    parser = _Parser(tokens, contexts)
    value = parser.either()
    if parser.tokens:
        raise ValueError(f"{parser.tokens} is left of {expression!r}")
    return value


class _Parser:
    def __init__(self, tokens: list[str], contexts: Mapping[str, Any]) -> None:
        self.tokens = tokens
        self.contexts = contexts

    def _next_is(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == sign:
            del self.tokens[0]
            return True
        return False

    def either(self) -> Any:
        value = self._both()
        while self._next_is("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._equal()
        while self._next_is("&&"):
            other = self._equal()
            value = other if value else value
        return value

    def _equal(self) -> Any:
        value = self._one()
        if self._next_is("=="):
            return text(value) == text(self._one())
        if self._next_is("!="):
            return text(value) != text(self._one())
        return value

    def _one(self) -> Any:
        if self._next_is("!"):
            return not self._one()
        if self._next_is("("):
            value = self.either()
            if not self._next_is(")"):
                raise ValueError("a bracket is open")
            return value
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._next_is("("):
            if not self._next_is(")"):
                raise ValueError(f"{token} takes no arguments here")
            return self.contexts[token]
        return self._looked_up(token)

    def _looked_up(self, name: str) -> Any:
        head, *keys = name.split(".")
        if head not in self.contexts:
            raise ValueError(f"no context is called {head!r}")
        value: Any = self.contexts[head]
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value
