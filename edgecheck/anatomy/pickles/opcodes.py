"""What each of pickle's opcodes does to the inert machine; the table is pickletools', protocols 0 to 5."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.pickles.objects import Made, Mapping, Name, Text, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecheck.anatomy.pickles.machine import Machine

_CONTENTS = (b"U", b"T", b"X", b"\x8c", b"\x8d", b"C", b"B", b"\x8e", b"\x96")
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}
_UNSIGNED = {b"K": 1, b"M": 2}
_LONG = {b"\x8a": 1, b"\x8b": 4}
_SKIPPED = {b"\x80": 1, b"\x95": 8}
"""PROTO and FRAME, with the bytes of their arguments, which say nothing here."""
_EXTENSIONS = {b"\x82": 1, b"\x83": 2, b"\x84": 4}
_PUTS = {b"q": 1, b"r": 4}
_GETS = {b"h": 1, b"j": 4}
_TUPLES = {b")": 0, b"\x85": 1, b"\x86": 2, b"\x87": 3}
_CALLS = {b"R": 1, b"\x81": 1, b"\x92": 2}


def handlers(machine: Machine) -> dict[int, Callable[[], None]]:
    """By opcode: what to do."""
    table: dict[bytes, Callable[[], None]] = {}
    table |= {code: partial(machine.content, code) for code in _CONTENTS}
    table |= {code: partial(machine.push, value) for code, value in _CONSTANTS.items()}
    table |= {code: partial(_unsigned, machine, width) for code, width in _UNSIGNED.items()}
    table |= {code: partial(_long, machine, width) for code, width in _LONG.items()}
    table |= {code: partial(_skip, machine, width) for code, width in _SKIPPED.items()}
    table |= {code: partial(_extension, machine, width) for code, width in _EXTENSIONS.items()}
    table |= {code: partial(_put, machine, width) for code, width in _PUTS.items()}
    table |= {code: partial(_get, machine, width) for code, width in _GETS.items()}
    table |= {code: partial(_tuple, machine, count) for code, count in _TUPLES.items()}
    table |= {code: partial(machine.call, count) for code, count in _CALLS.items()}
    table |= _objects(machine) | _lines(machine)
    return {code[0]: handler for code, handler in table.items()}


def _objects(machine: Machine) -> dict[bytes, Callable[[], None]]:
    return {
        b"(": machine.mark,
        b"0": machine.pop_any,
        b"1": lambda: _discard(machine),
        b"2": lambda: _duplicate(machine),
        b"J": partial(machine.integer, 4),
        b"G": machine.double,
        b"]": lambda: machine.push([]),
        b"}": lambda: machine.push(Mapping()),
        b"\x8f": lambda: machine.push([]),
        b"l": lambda: machine.push(machine.pop_group()[0]),
        b"t": lambda: machine.push(tuple(machine.pop_group()[0])),
        b"\x91": lambda: machine.push(tuple(machine.pop_group()[0])),
        b"d": lambda: _dict(machine),
        b"a": lambda: machine.append([machine.pop()]),
        b"e": lambda: machine.append(machine.pop_group()[0]),
        b"\x90": lambda: machine.append(machine.pop_group()[0]),
        b"s": lambda: _set_item(machine),
        b"u": lambda: machine.set_items(*machine.pop_group()),
        b"\x93": lambda: _stack_global(machine),
        b"o": lambda: _object(machine),
        b"b": machine.build,
        b"\x94": machine.memoize,
        b"Q": lambda: machine.keep(machine.pop()),
        b"\x97": lambda: machine.push(Made(Name("pickle", "PickleBuffer"), ())),
        b"\x98": lambda: None,
    }


def _lines(machine: Machine) -> dict[bytes, Callable[[], None]]:
    return {
        b"I": lambda: machine.push(_number(machine.line()[0])),
        b"L": lambda: machine.push(_number(machine.line()[0])),
        b"F": lambda: machine.push(_number(machine.line()[0])),
        b"S": lambda: _text(machine, quotes=1),
        b"V": lambda: _text(machine, quotes=0),
        b"P": lambda: machine.keep(machine.line()[0]),
        b"c": lambda: machine.name(machine.line()[0], machine.line()[0]),
        b"i": lambda: _instance(machine),
        b"p": lambda: machine.put(_index(machine.line()[0])),
        b"g": lambda: machine.get(_index(machine.line()[0])),
    }


def _unsigned(machine: Machine, width: int) -> None:
    machine.push(machine.number(width))


def _long(machine: Machine, width: int) -> None:
    machine.integer(machine.number(width))


def _skip(machine: Machine, width: int) -> None:
    machine.at += width


def _extension(machine: Machine, width: int) -> None:
    machine.name("copyreg", f"extension {machine.number(width)}")


def _put(machine: Machine, width: int) -> None:
    machine.put(machine.number(width))


def _get(machine: Machine, width: int) -> None:
    machine.get(machine.number(width))


def _tuple(machine: Machine, count: int) -> None:
    machine.push(tuple([machine.pop() for _ in range(count)][::-1]))


def _discard(machine: Machine) -> None:
    machine.pop_group()


def _duplicate(machine: Machine) -> None:
    value = machine.pop()
    machine.push(value)
    machine.push(value)


def _dict(machine: Machine) -> None:
    group, begin = machine.pop_group()
    machine.push(Mapping())
    machine.set_items(group, begin)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value], machine.at)


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(str(module), str(name))


def _object(machine: Machine) -> None:
    group, _ = machine.pop_group()
    if not group:
        raise Damage(f"its pickle makes an object of nothing at byte {machine.at:,}")
    machine.push(Made(group[0], tuple(group[1:])))


def _instance(machine: Machine) -> None:
    maker = Name(machine.line()[0], machine.line()[0])
    machine.names.add(maker)
    machine.push(Made(maker, tuple(machine.pop_group()[0])))


def _text(machine: Machine, quotes: int) -> None:
    line, at = machine.line()
    text = Text(line[quotes : len(line) - quotes])
    text.at, text.size = at + quotes, max(0, len(line) - 2 * quotes)
    machine.push(text)


def _number(line: str) -> Value:
    """The argument of INT, LONG or FLOAT."""
    if line in ("00", "01"):
        return line == "01"
    try:
        return float(line) if set(line) & set(".eEnN") else int(line.rstrip("L") or "0")
    except ValueError:
        raise Damage(f"its pickle has the number {line[:20]!r}") from None


def _index(line: str) -> int:
    if not line.isascii() or not line.isdigit() or len(line) > 10:  # noqa: PLR2004 - memo indices are 32 bits wide
        raise Damage(f"its pickle remembers something under {line[:20]!r}")
    return int(line)
