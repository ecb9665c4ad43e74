"""Writes calibrated constants into a profile's text, and changes no other byte of it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from edgecheck.config.files import read_text, shown_path
from edgecheck.config.problems import RefusedError
from edgecheck.config.tree import MappingNode, to_python
from edgecheck.config.yaml_reader import read_tree
from edgecheck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgecheck.config.tree import Node
    from edgecheck.core.device import Constant

    #: YAML by key, by kind.
    Written = Mapping[str, Mapping[str, str]]

#: What `derived_from` says of constants that were another device's before.
_ITSELF = "the device itself"

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A file before and after."""

    before: str
    after: str


def calibrated(path: Path, constants: Mapping[str, Constant], *, derived: bool) -> Calibrated:
    """The profile in `path` with `constants` by kind (`float`, `int8`) under `projection`.

    Args:
        path: The profile's own file; what it takes from its family is overridden here.
        constants: Those that were measured; others stay.
        derived: Whether the profile says that its constants are another device's, which they are no longer.

    Raises:
        ConfigError: the file is no YAML.
        UsageError: it is written so that an edit in place would change more than this.
    """
    try:
        before = read_text(path)
        read_tree(before, shown_path(path))
    except RefusedError as error:
        raise ConfigError([str(error.problem)]) from error
    wanted = _as_written(constants)
    with suppress(RefusedError):
        after = _edited(before, wanted, derived=derived)
        if _plain(after) == _expected(before, wanted, derived=derived):
            return Calibrated(before, after)
    lines = "".join(f"\n  {kind}: {_flow(values)}" for kind, values in wanted.items())
    raise UsageError(
        f"{shown_path(path)} is written so that it cannot be edited in place.",
        f"Write it yourself:\nprojection:{lines}",
    )


def _edited(text: str, wanted: Written, *, derived: bool) -> str:
    for kind, values in wanted.items():
        for key, value in values.items():
            text = _with(text, ("projection", kind, key), value, values)
    return _with(text, ("projection", "derived_from"), _ITSELF, {}) if derived else text


def _as_written(constants: Mapping[str, Constant]) -> Written:
    return {
        kind: {
            "ns_per_instruction": _digits(constant.ns_per_instruction),
            "spread": f"{constant.spread:.3f}",
            "runtime": constant.runtime if _PLAIN.fullmatch(constant.runtime) else json.dumps(constant.runtime),
        }
        for kind, constant in constants.items()
    }


def _digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return format(Decimal(f"{value:.3g}"), "f")


def _with(text: str, parts: tuple[str, ...], value: str, whole: Mapping[str, str]) -> str:
    """`text` with `value` at `parts`; the mapping that holds it, if it is not there, comes in with all of `whole`."""
    node = read_tree(text, "")
    for depth, part in enumerate(parts):
        entry = node.entries.get(part) if isinstance(node, MappingNode) else None
        if entry is None:
            is_whole = bool(whole) and depth < len(parts) - 1
            return _inserted(text, node, (*parts[depth:-1], _flow(whole)) if is_whole else (*parts[depth:], value))
        node = entry.node
    return text[: node.mark.start] + value + text[node.mark.end :]


def _inserted(text: str, node: Node, chain: tuple[str, ...]) -> str:
    """With one more key in a mapping; `chain` is that key, those below it if any, and the value, which comes last.

    In flow style it stands behind the opening brace. In block style it takes a line of its own, below the last key
    whose value is on one line, so that what is above a key stays there: its comment may belong to it.
    """
    if not isinstance(node, MappingNode) or not node.entries:
        return text[: node.mark.start] + _nested(chain) + text[node.mark.end :]
    if text.startswith("{", node.mark.start):
        start = node.mark.start + 1
        return f"{text[:start]}{_nested(chain)[1:-1]}, {text[start:]}"
    end = "\r\n" if "\r\n" in text else "\n"
    first = min(entry.key.start for entry in node.entries.values())
    indent = " " * (first - text.rfind("\n", 0, first) - 1)
    if not indent:
        lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(chain[:-1])]
        return text + ("" if text.endswith("\n") else end) + end.join(lines) + f" {chain[-1]}{end}"
    line = indent + _nested(chain)[1:-1] + end
    values = [entry.node.mark for entry in node.entries.values()]
    ends = [mark.end for mark in values if "\n" not in text[mark.start : mark.end]]
    place = text.find("\n", max(ends)) + 1 if ends else first - len(indent)
    return text[:place] + line + text[place:] if place else text + end + line.removesuffix(end)


def _nested(chain: tuple[str, ...]) -> str:
    """The last of them in a flow mapping for each of the others."""
    text = chain[-1]
    for key in reversed(chain[:-1]):
        text = f"{{{key}: {text}}}"
    return text


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def _expected(before: str, wanted: Written, *, derived: bool) -> Any:
    """What the file is to hold: the constants, and all else as it was."""
    values = _plain(before)
    projection = values["projection"] = values.get("projection") or {}
    for kind, written in wanted.items():
        projection[kind] = {**(projection.get(kind) or {}), **_plain(_flow(written))}
    return values | {"projection": projection | ({"derived_from": _ITSELF} if derived else {})}


def _plain(text: str) -> Any:
    return to_python(read_tree(text, ""))
