"""Writes calibrated constants into a profile's text, and changes no other byte of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.config.files import read_text, shown_path
from edgecheck.config.problems import RefusedError
from edgecheck.config.tree import MappingNode, Node, to_python
from edgecheck.config.yaml_reader import read_tree
from edgecheck.core.device import Constant, Costs, CostSet
from edgecheck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    #: Values in YAML by key, by the place under `projection`.
    Written = Mapping[tuple[str, ...], Mapping[str, str]]

#: What `derived_from` says after a calibration, where it named another device before.
_ITSELF = "the device itself"

#: Text that needs no quotes.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A file before and after."""

    before: str
    after: str


def calibrated(
    path: Path, constants: Mapping[str, Constant], costs: Costs | None = None, *, derived: bool
) -> Calibrated:
    """The profile in `path` with `constants` by kind (`float`, `int8`), and `costs`, under `projection`.

    Args:
        path: The profile's own file; it overrides what the family sets.
        constants: Those that were measured; others stay.
        costs: Those that were measured; None leaves them as they are.
        derived: Whether the profile says that its constants are those of another device.

    Raises:
        ConfigError: the file is not valid YAML.
        UsageError: an edit in place would change more than the constants.
    """
    try:
        before = read_text(path)
        read_tree(before, shown_path(path))
    except RefusedError as error:
        raise ConfigError([str(error.problem)]) from error
    wanted: dict[tuple[str, ...], Mapping[str, str]] = {
        (kind,): values for kind, values in _as_written(constants).items()
    }
    wanted |= _costs_as_written(costs) if costs is not None else {}
    with suppress(RefusedError):
        after = _edited(before, wanted, derived=derived)
        if _plain(after) == _expected(before, wanted, derived=derived):
            return Calibrated(before, after)
    lines = "".join(f"\n  {'.'.join(place)}: {_flow(values)}" for place, values in wanted.items())
    raise UsageError(
        f"{shown_path(path)} is written in a way that cannot be edited in place.",
        f"Write it yourself:\nprojection:{lines}",
    )


def _edited(text: str, wanted: Written, *, derived: bool) -> str:
    for place, values in wanted.items():
        for key, value in values.items():
            text = _with(text, ("projection", *place, key), value, values)
    return _with(text, ("projection", "derived_from"), _ITSELF, {}) if derived else text


def _costs_as_written(costs: Costs) -> Written:
    """The costs' own values, and those of each set of them."""
    sets = {"modelled": costs.modelled, "counted": costs.counted}
    values = {
        "l2_size": f"{costs.l2_size >> 10} KiB",
        "runtime": costs.runtime,
        "networks": str(costs.networks),
        "source": json.dumps(costs.source),
        "model": costs.model,
        "spread": f"{costs.spread:g}",
    }
    values |= {name: "null" for name, each in sets.items() if each is None}
    return {("costs",): {key: value for key, value in values.items() if value}} | {
        ("costs", name): _cost_set(each) for name, each in sets.items() if each is not None
    }


def _cost_set(costs: CostSet) -> Mapping[str, str]:
    return {
        "work": _digits(costs.work),
        "instruction": _digits(costs.instruction),
        "l1": _digits(costs.l1),
        "store": _digits(costs.store * 1e9),
        "l2": _digits(costs.l2 * 1e9),
        "within": f"{costs.within:.3f}",
    }


def _as_written(constants: Mapping[str, Constant]) -> Mapping[str, Mapping[str, str]]:
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


def _with(text: str, parts: tuple[str, ...], value: str, siblings: Mapping[str, str]) -> str:
    """`text` with `value` at `parts`; if the mapping around it is missing, it is inserted with all of `siblings`."""
    node = read_tree(text, "")
    for depth, part in enumerate(parts):
        entry = node.entries.get(part) if isinstance(node, MappingNode) else None
        if entry is None:
            with_siblings = bool(siblings) and depth < len(parts) - 1
            chain = (*parts[depth:-1], _flow(siblings)) if with_siblings else (*parts[depth:], value)
            return _inserted(text, node, chain)
        node = entry.node
    return text[: node.mark.start] + value + text[node.mark.end :]


def _inserted(text: str, node: Node, chain: tuple[str, ...]) -> str:
    """`text` with one more key in a mapping; `chain` is that key, any keys below it, and last the value.

    In flow style the key goes behind the opening brace. In block style it goes on a new line below the last key whose
    value is on one line, so that nothing comes between a key and the comment above it.
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
    """The last of them, wrapped in a flow mapping for each of the others."""
    text = chain[-1]
    for key in reversed(chain[:-1]):
        text = f"{{{key}: {text}}}"
    return text


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def _expected(before: str, wanted: Written, *, derived: bool) -> Any:
    """What the file must hold afterwards: the constants, and everything else as before."""
    values = _plain(before)
    projection = values["projection"] = values.get("projection") or {}
    for place, written in wanted.items():
        inner = projection
        for name in place:
            inner[name] = inner = dict(inner.get(name) or {})
        inner.update(_plain(_flow(written)))
    return values | {"projection": projection | ({"derived_from": _ITSELF} if derived else {})}


def _plain(text: str) -> Any:
    return to_python(read_tree(text, ""))
