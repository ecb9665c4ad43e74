"""What a device may say: a shape for each message, by which all that comes from it is read, and nothing else is kept.

A device is not trusted. A value of another type, a missing field, a figure beyond all bounds or a line without end is
an error of the device's, never an internal one, and never a figure. Unknown fields are left out: a newer agent may send
more.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from edgecheck.core.run import Activity, Outcome, Phase, Purpose
from edgecheck.core.text import middle_cut

#: Bytes of a line: 200,000 latencies take 3 MB. What it holds takes up to thirty times as much memory.
LONGEST_LINE = 4 * 2**20

#: Characters of one text, elements of one list, fields of one mapping; latencies are more.
_LONGEST_TEXT, _MOST, _MOST_FIGURES = 2**16, 4096, 1_000_000

#: Of a tensor: numpy has no more.
_DIMENSIONS = 64

#: Bytes, and counts of anything.
_LARGEST = 2**53

#: Seconds.
_SHORTEST, _LONGEST = -1e6, 1e9

#: Characters of a value that does not fit, in a message.
_SHOWN = 60


class MisfitError(ValueError):
    """A message that does not fit; the text says where and why."""


#: Takes a value and its path; returns what is kept of it, or raises `MisfitError`.
Shape = Callable[[object, str], Any]


def parsed(line: bytes) -> dict[str, Any]:
    """The JSON object on a line.

    Raises:
        MisfitError: it is not one, is too long, or is nested too deeply.
    """
    if len(line) > LONGEST_LINE:
        raise MisfitError(f"a line of over {LONGEST_LINE / 2**20:.0f} MiB")
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except RecursionError:
        raise MisfitError("JSON that is nested too deeply") from None
    except ValueError as error:
        raise MisfitError(f"a line that is not JSON: {_shown(line.decode('utf-8', 'replace'))}") from error
    if not isinstance(value, dict):
        raise MisfitError(f"a line that is not an object: {_shown(value)}")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def text(*among: str, longest: int = _LONGEST_TEXT) -> Shape:
    """A text; one of `among`, if there are any. Halves of surrogate pairs, which no file takes, are replaced."""

    def read(value: object, path: str) -> str:
        if not isinstance(value, str) or len(value) > longest or (among and value not in among):
            raise _misfit(path, f"one of {', '.join(map(repr, among))}" if among else "a text", value)
        return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", value)

    return read


def whole(low: int = 0, high: int = _LARGEST) -> Shape:
    """An integer."""

    def read(value: object, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _misfit(path, f"an integer from {low} to {high}", value)
        return value

    return read


def number(low: float = 0.0, high: float = _LONGEST) -> Shape:
    """A finite number."""

    def read(value: object, path: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise _misfit(path, f"a number from {low:g} to {high:g}", value)
        return value

    return read


def flag(value: object, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _misfit(path, "true or false", value)
    return value


def many(shape: Shape, most: int = _MOST) -> Shape:
    """A list."""

    def read(value: object, path: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise _misfit(path, f"a list of at most {most:,}", value)
        return [shape(each, f"{path}[{at}]") for at, each in enumerate(value)]

    return read


def pair(first: Shape, second: Shape) -> Shape:
    """A list of two."""

    def read(value: object, path: str) -> tuple[Any, Any]:
        match value:
            case [one, two]:
                return first(one, f"{path}[0]"), second(two, f"{path}[1]")
            case _:
                raise _misfit(path, "a pair", value)

    return read


def by_name(shape: Shape, most: int = _MOST) -> Shape:
    """A mapping with any names."""

    def read(value: object, path: str) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise _misfit(path, f"a mapping of at most {most:,}", value)
        name = text(longest=_MOST)
        return {name(key, f"a name in {path}"): shape(each, f"{path}.{key[:_SHOWN]}") for key, each in value.items()}

    return read


def record(fields: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """A mapping with these fields; those in `optional` may be null or missing, and are left out then."""
    optional = optional or {}

    def read(value: object, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _misfit(path, "a mapping", value)
        inside = f"{path}." if path else ""
        if missing := [name for name in fields if name not in value]:
            raise MisfitError(f"{inside}{missing[0]} is missing")
        found = {name: shape(value[name], inside + name) for name, shape in fields.items()}
        given = {name: shape for name, shape in optional.items() if value.get(name) is not None}
        return found | {name: shape(value[name], inside + name) for name, shape in given.items()}

    return read


def _nullable(shape: Shape) -> Shape:
    return lambda value, path: None if value is None else shape(value, path)


def _misfit(path: str, expected: str, value: object) -> MisfitError:
    return MisfitError(f"{middle_cut(path, _SHOWN)} is {_shown(value)}; expected {expected}")


def _shown(value: object) -> str:
    """A value in a message; numbers of any length and lists of any size take no time."""
    match value:
        case str():
            return repr(middle_cut(value, _SHOWN))
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int() if value.bit_length() > _SHOWN:
            return f"an integer of {value.bit_length():,} bits"
        case int() | float():
            return "infinite" if isinstance(value, float) and math.isinf(value) else repr(value)
        case list():
            return f"a list of {len(value):,}"
        case _:
            return "a mapping"


_SIZES = dict.fromkeys(("rss", "hwm", "pss", "uss", "major_faults", "swap"), whole())
_NAMES, _SPAN, _MOMENT = many(text()), number(), number(_SHORTEST)
_PROCESS = {"process": whole(1, _MOST)}
_CPU = record(
    {},
    {
        **dict.fromkeys(("implementers", "parts", "names", "features", "governors"), _NAMES),
        "kind": text(),
        "count": whole(0, _MOST),
        "affinity": many(whole(0, _MOST)),
        **dict.fromkeys(("clocks", "highest_clocks"), many(_nullable(number(0, 1e12)))),
        "caches": many(record({"level": whole(0, _MOST), "type": text(), "size": whole()})),
    },
)

_PHONE = record(
    {},
    {
        **dict.fromkeys(("android", "soc", "heap"), text()),
        **dict.fromkeys(("low_ram", "battery_saver", "awake", "locked", "emulator"), flag),
        "thermal_status": whole(0, 6),
        "battery_c": number(-100, 200),
        "battery_level": whole(0, 100),
    },
)
_JETSON = record(
    {},
    {
        "mode": record({"name": text(), "number": whole(0, _MOST)}),
        "modes": many(pair(text(), whole(0, _MOST))),
        "clocks": many(
            record({"name": text(), "least": number(0, 1e12), "most": number(0, 1e12)}, {"now": number(0, 1e12)})
        ),
        "rails": by_name(number(-1e4, 1e4)),
    },
)
_ACCELERATOR = record(
    {"provider": text()}, {**dict.fromkeys(("devices", "libraries", "runtimes"), _NAMES), "missing": text()}
)
_SHAPED = many(pair(text(), many(whole())))
_OPERATOR = record(
    {"name": text(), "type": text(), "provider": text(), "values_us": many(whole(), _MOST_FIGURES), "calls": whole()},
    {
        **dict.fromkeys(("place", "graph", "activation_bytes", "parameter_bytes", "output_bytes"), whole()),
        "inside": whole(0, _MOST_FIGURES),
        **dict.fromkeys(("inputs", "outputs"), _SHAPED),
    },
)

#: By the kind of event: its fields (docs/reference/agent-protocol.md).
EVENTS: Mapping[str, Shape] = {
    "device": record(
        {"when": text("before", "after")},
        {
            **dict.fromkeys(
                ("model", "machine_id", "system", "machine", "kernel", "python", "libc", "power_mode"), text()
            ),
            "page_size": whole(),
            "cpu": _CPU,
            "memory": record({}, dict.fromkeys(("total", "available", "swap_used"), whole())),
            "storage": record({}, dict.fromkeys(("total", "free"), whole())),
            "temperatures": by_name(number(-1e4, 1e4)),
            "throttled": record({}, {"flags": _NAMES}),
            "load_average": many(number()),
            "pressure": record({"at_s": _SPAN}, {"waited_s": _SPAN}),
            "phone": _PHONE,
            "jetson": _JETSON,
            "accelerators": many(_ACCELERATOR),
        },
    ),
    "waiting": record({}, {"holder": text()}),
    "start": record(_PROCESS | {"purpose": text(*(purpose.value for purpose in Purpose))}, {"available": whole()}),
    "runtime": record({"name": text(), "version": text()}, {"python": text(), "numpy": text()}),
    "phase": record(
        _PROCESS | {"phase": text(*(phase.value for phase in Phase)), "at_s": _MOMENT},
        _SIZES | {"load_s": _SPAN, "first_s": _SPAN, "waited_s": _SPAN},
    ),
    "sample": record(
        _PROCESS | {"samples": many(pair(_MOMENT, whole()))},
        {"available": many(_nullable(whole())), "source": text()},
    ),
    "latencies": record(
        _PROCESS | {"values_ns": many(whole(), _MOST_FIGURES)}, {"waits_ns": many(whole(), _MOST_FIGURES)}
    ),
    "state": record(
        _PROCESS | {"at_s": _MOMENT, "n": whole(0, _MOST_FIGURES)},
        {"clocks": many(_nullable(whole())), "temperatures": by_name(number(-1e4, 1e4)), "throttled": _NAMES},
    ),
    "look": record(
        _PROCESS
        | {
            "counts": many(
                record(
                    {
                        "id": text(),
                        **dict.fromkeys(("n", "exceedances"), whole(0, _MOST_FIGURES)),
                        "block": whole(1),
                        "decision": _nullable(text("", "pass", "fail")),
                    },
                    {"over_s": _SPAN, "left_out": whole(0, _MOST_FIGURES)},
                )
            )
        },
        {
            "over_s": _SPAN,
            "contention": record(
                {"waited_s": _SPAN, "processor_s": _SPAN, "switches": whole()},
                {"stolen": number(0, 1), "others": number(0, 1)},
            ),
        },
    ),
    "batches": record(_PROCESS | {"batches": many(record({"count": whole(1), "total_ns": whole()})), "agreed": flag}),
    "counted": record(
        _PROCESS
        | {
            "inferences": whole(1),
            **dict.fromkeys(("executed", "multiplying", "l1_loads", "l1_stores"), whole()),
            "l2": many(pair(whole(1), whole())),
        },
        {"cycles": by_name(number(0, _LARGEST))},
    ),
    "operators": record(_PROCESS | {"first": whole(0, _MOST_FIGURES), "operators": many(_OPERATOR)}),
    "profile": record(
        _PROCESS | {"values_us": many(whole(), _MOST_FIGURES), "count": whole(0, _MOST_FIGURES), "profiler": text()}
    ),
    "placement": record(
        _PROCESS
        | {
            "accelerator": text(longest=_MOST),
            **dict.fromkeys(("taken", "total"), whole(0, _MOST_FIGURES)),
            "left": many(record({name: text(longest=_MOST) for name in ("type", "name", "provider", "reason")})),
            "proof": text(longest=_MOST),
        }
    ),
    "output": record(
        _PROCESS
        | {
            "sample": whole(0, _MOST_FIGURES),
            "name": text(longest=_MOST),
            "dtype": text(longest=_MOST),
            "shape": many(whole(), _DIMENSIONS),
            **dict.fromkeys(("piece", "pieces"), whole(0, _MOST)),
        },
        {"base64": text(longest=LONGEST_LINE), "quantization": pair(number(0, _LARGEST), whole(-_LARGEST))},
    ),
    "note": record({"code": text(), "message": text()}, _PROCESS),
    "problem": record({"message": text()}, {"code": text()}),
    "accelerator-memory": record(_PROCESS | {"bytes": whole(), "source": text(), "words": text()}),
    "end": record(
        _PROCESS
        | {
            "outcome": text(*(outcome.value for outcome in Outcome)),
            "phase": text(*(activity.value for activity in Activity)),
        },
        {**dict.fromkeys(("reason", "message", "signal", "stderr_tail"), text()), "at_s": number()},
    ),
    "done": record({}, {"processes": whole(0, _MOST)}),
}


def read_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of an event, with its kind as `event`; empty where the kind is not known.

    Raises:
        MisfitError: a field does not fit.
    """
    kind = text()(event.get("event", ""), "event")
    shape = EVENTS.get(kind)
    if shape is None:
        return {}
    try:
        return {**shape(event, ""), "event": kind}
    except MisfitError as misfit:
        raise MisfitError(f"{kind}: {misfit}") from None
