"""Follows a pickle's opcodes without executing any: what it would import and call becomes inert values.

https://github.com/python/cpython/blob/main/Lib/pickletools.py, list `opcodes`: protocols 0 to 5 (PEP 307, 3154, 574).
The names of the opcodes are in capitals here. Numbers are little-endian unless an opcode says otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from edgecheck.anatomy.accounting.limits import ITEM, RECORD, TEXT
from edgecheck.anatomy.encodings.span import Damage, Span, Unread
from edgecheck.anatomy.pickles.objects import Blob, Made, Mapping, Name, Persistent, Text, Value, index_in, number_in
from edgecheck.anatomy.pickles.operands import Operands

#: Opcodes of one pickle.
_MOST_STEPS = 5_000_000
#: Bytes of a text that is read; longer ones stay where they are.
_LONGEST_TEXT = 1 << 16
_LONGEST_LINE = 1 << 16
#: Bytes of an integer that is read; longer ones, which no size has, stay where they are.
_LONGEST_INTEGER = 16
#: Steps that are charged at once.
_CHARGED = 4096

_STOP = ord(".")
#: Opcodes that are followed by a length of this many bytes, and by content of that length.
_LENGTH_WIDTHS = {
    b"U": 1,  # SHORT_BINSTRING
    b"T": 4,  # BINSTRING
    b"X": 4,  # BINUNICODE
    b"\x8c": 1,  # SHORT_BINUNICODE
    b"\x8d": 8,  # BINUNICODE8
    b"C": 1,  # SHORT_BINBYTES
    b"B": 4,  # BINBYTES
    b"\x8e": 8,  # BINBYTES8
    b"\x96": 8,  # BYTEARRAY8
}
#: Those of them whose content is text, or a string of Python 2, which was both text and bytes.
_TEXTS = (b"X", b"\x8c", b"\x8d", b"U", b"T")
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}  # NONE, NEWTRUE, NEWFALSE
#: In the rest, the numbers are the bytes of the argument.
_UNSIGNED = {b"K": 1, b"M": 2}  # BININT1, BININT2
_LONG = {b"\x8a": 1, b"\x8b": 4}  # LONG1, LONG4: the bytes of the integer's length
_SKIPPED = {b"\x80": 1, b"\x95": 8}  # PROTO, FRAME: their arguments do not matter here
_EXTENSIONS = {b"\x82": 1, b"\x83": 2, b"\x84": 4}  # EXT1, EXT2, EXT4
_PUTS = {b"q": 1, b"r": 4}  # BINPUT, LONG_BINPUT
_GETS = {b"h": 1, b"j": 4}  # BINGET, LONG_BINGET
#: The number of items.
_TUPLES = {b")": 0, b"\x85": 1, b"\x86": 2, b"\x87": 3}  # EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3
#: The number of operands after the one that is called.
_CALLS = {b"R": 1, b"\x81": 1, b"\x92": 2}  # REDUCE, NEWOBJ, NEWOBJ_EX


class Machine(Operands):
    """Follows one pickle in `span`.

    Args:
        span: The bytes.
        at: Where the pickle begins.
        on_build: Called when an object gets its state, with the object and the place of the next opcode; returns the
            place to continue at, because joblib writes arrays between the opcodes.

    Attributes:
        at: The place of the next opcode; after `run`, the end of the pickle.
        names: Everything that loading the pickle would import.
        persistent: Everything that the pickle keeps elsewhere.
    """

    def __init__(self, span: Span, at: int = 0, on_build: Callable[[Made, int], int] | None = None) -> None:
        super().__init__(span, at)
        self.names: set[Name] = set()
        self.persistent: list[Persistent] = []
        self._on_build = on_build
        self._handlers = _handlers(self)

    def run(self) -> Value:
        """The object that loading the pickle would build.

        Raises:
            Damage: it is cut off, or its opcodes make no sense.
            Unread: it has too many opcodes.
        """
        table, span = self._handlers, self._span
        for step in range(_MOST_STEPS):
            if not step % _CHARGED:
                span.work.step(_CHARGED)
            code = span.u8(self.at)
            self.at += 1
            if code == _STOP:
                return self.pop()
            handler = table.get(code)
            if handler is None:
                raise Damage(f"its pickle has the unknown opcode {code:#04x} at byte {self.at - 1:,}")
            handler()
        raise Unread(f"its pickle has more than {_MOST_STEPS:,} steps")

    def number(self, width: int) -> int:
        """The unsigned argument of an opcode."""
        self.at += width
        return self._span.uint(self.at - width, width)

    def line(self) -> tuple[str, int]:
        """The argument of a text opcode, and where it begins."""
        stop = min(self._span.size, self.at + _LONGEST_LINE)
        end = self._span.data.find(b"\n", self._span.start + self.at, self._span.start + stop) - self._span.start
        if end < self.at:
            raise Damage(f"its pickle has an endless line at byte {self.at:,}")
        begin, self.at = self.at, end + 1
        return self._span.text(begin, end - begin), begin

    def content(self, code: bytes) -> None:
        """A string or byte string: short texts are read, everything else stays where it is."""
        size = self.number(_LENGTH_WIDTHS[code])
        at = self.at
        self._span.place(at, size)  # all of it is there
        self.at += size
        if code in _TEXTS and size <= _LONGEST_TEXT:
            text = Text(self._span.text(at, size))
            text.at, text.size = at, size
            self._span.work.spend(TEXT + 4 * ITEM)  # with the integer that says where it is
            self.push(text)
        else:
            self._span.work.spend(2 * RECORD)
            self.push(Blob(at, size, code in _TEXTS))

    def integer(self, size: int) -> None:
        """BININT, LONG1 and LONG4: a signed integer of `size` bytes."""
        self.at += size
        if size > _LONGEST_INTEGER:
            self._span.sub(self.at - size, size)
            self.push(Blob(self.at - size, size))
            return
        self.push(int.from_bytes(self._span.raw(self.at - size, size), "little", signed=True))

    def double(self) -> None:
        """BINFLOAT, which is big-endian."""
        self.at += 8
        self.push(float(struct.unpack(">d", self._span.raw(self.at - 8, 8))[0]))

    def name(self, module: str, name: str) -> None:
        """GLOBAL, STACK_GLOBAL and the extensions: an import."""
        self._span.work.spend(2 * RECORD)
        found = Name(module, name)
        self.names.add(found)
        self.push(found)

    def call(self, count: int) -> None:
        """REDUCE, NEWOBJ and NEWOBJ_EX: `count` operands after the one that is called."""
        self._span.work.spend(4 * RECORD)
        arguments = [self.pop() for _ in range(count)][::-1]
        self.push(Made(self.pop(), arguments[0] if count == 1 else tuple(arguments)))

    def keep(self, key: Value) -> None:
        """PERSID and BINPERSID."""
        self._span.work.spend(2 * RECORD)
        self.persistent.append(Persistent(key))
        self.push(self.persistent[-1])

    def build(self) -> None:
        """BUILD."""
        state = self.pop()
        target = self.pop()
        if isinstance(target, Made):
            target.state = state
            if self._on_build is not None:
                self.at = self._on_build(target, self.at)
        self.push(target)

    def append(self, values: list[Value]) -> None:
        """APPEND, APPENDS and ADDITEMS."""
        target = self.pop()
        self._span.work.spend(ITEM * len(values))
        if isinstance(target, list):
            target += values
        elif isinstance(target, Made):
            target.items += values
        else:
            raise Damage(f"its pickle appends to something other than a list at byte {self.at:,}")
        self.push(target)

    def set_items(self, values: list[Value], begin: int) -> None:
        """SETITEM and SETITEMS; the items are written from `begin` on."""
        target = self.pop()
        mapping = target.mapping() if isinstance(target, Made) else target
        if not isinstance(mapping, Mapping) or len(values) % 2:
            raise Damage(f"its pickle sets items of something other than a dict at byte {begin:,}")
        self._span.work.spend((RECORD + ITEM) * len(values) // 2 + 2 * RECORD)  # a pair, and where the items are
        mapping.pairs += zip(values[::2], values[1::2], strict=True)
        mapping.spans.append((begin, self.at))
        self.push(target)


def _handlers(machine: Machine) -> dict[int, Callable[[], None]]:
    """What to do for each opcode."""
    table: dict[bytes, Callable[[], None]] = {}
    table |= {code: partial(machine.content, code) for code in _LENGTH_WIDTHS}
    table |= {code: partial(machine.push, value) for code, value in _CONSTANTS.items()}
    table |= {code: partial(_unsigned, machine, width) for code, width in _UNSIGNED.items()}
    table |= {code: partial(_long, machine, width) for code, width in _LONG.items()}
    table |= {code: partial(_skip, machine, width) for code, width in _SKIPPED.items()}
    table |= {code: partial(_extension, machine, width) for code, width in _EXTENSIONS.items()}
    table |= {code: partial(_put, machine, width) for code, width in _PUTS.items()}
    table |= {code: partial(_get, machine, width) for code, width in _GETS.items()}
    table |= {code: partial(_tuple, machine, count) for code, count in _TUPLES.items()}
    table |= {code: partial(machine.call, count) for code, count in _CALLS.items()}
    table |= _operand_handlers(machine) | _line_handlers(machine)
    return {code[0]: handler for code, handler in table.items()}


def _operand_handlers(machine: Machine) -> dict[bytes, Callable[[], None]]:
    """Opcodes that work on operands."""
    return {
        b"(": machine.mark,  # MARK
        b"0": machine.pop_any,  # POP
        b"1": lambda: _discard(machine),  # POP_MARK
        b"2": lambda: _duplicate(machine),  # DUP
        b"J": partial(machine.integer, 4),  # BININT
        b"G": machine.double,  # BINFLOAT
        b"]": lambda: machine.push_new([]),  # EMPTY_LIST
        b"}": lambda: machine.push_new(Mapping()),  # EMPTY_DICT
        b"\x8f": lambda: machine.push_new([]),  # EMPTY_SET
        b"l": lambda: machine.push_new(machine.pop_group()[0]),  # LIST
        b"t": lambda: machine.push_new(tuple(machine.pop_group()[0])),  # TUPLE
        b"\x91": lambda: machine.push_new(tuple(machine.pop_group()[0])),  # FROZENSET
        b"d": lambda: _dict(machine),  # DICT
        b"a": lambda: machine.append([machine.pop()]),  # APPEND
        b"e": lambda: machine.append(machine.pop_group()[0]),  # APPENDS
        b"\x90": lambda: machine.append(machine.pop_group()[0]),  # ADDITEMS
        b"s": lambda: _set_item(machine),  # SETITEM
        b"u": lambda: machine.set_items(*machine.pop_group()),  # SETITEMS
        b"\x93": lambda: _stack_global(machine),  # STACK_GLOBAL
        b"o": lambda: _object(machine),  # OBJ
        b"b": machine.build,  # BUILD
        b"\x94": machine.memoize,  # MEMOIZE
        b"Q": lambda: machine.keep(machine.pop()),  # BINPERSID
        b"\x97": lambda: machine.push(Made(Name("pickle", "PickleBuffer"), ())),  # NEXT_BUFFER
        b"\x98": lambda: None,  # READONLY_BUFFER
    }


def _line_handlers(machine: Machine) -> dict[bytes, Callable[[], None]]:
    """Opcodes of protocol 0, whose arguments are lines of text."""
    return {
        b"I": lambda: machine.push(number_in(machine.line()[0])),  # INT
        b"L": lambda: machine.push(number_in(machine.line()[0])),  # LONG
        b"F": lambda: machine.push(number_in(machine.line()[0])),  # FLOAT
        b"S": lambda: _text(machine, quotes=1),  # STRING
        b"V": lambda: _text(machine, quotes=0),  # UNICODE
        b"P": lambda: machine.keep(machine.line()[0]),  # PERSID
        b"c": lambda: machine.name(machine.line()[0], machine.line()[0]),  # GLOBAL
        b"i": lambda: _instance(machine),  # INST
        b"p": lambda: machine.put(index_in(machine.line()[0])),  # PUT
        b"g": lambda: machine.get(index_in(machine.line()[0])),  # GET
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
    machine.push_new(tuple([machine.pop() for _ in range(count)][::-1]))


def _discard(machine: Machine) -> None:
    machine.pop_group()


def _duplicate(machine: Machine) -> None:
    value = machine.pop()
    machine.push(value)
    machine.push(value)


def _dict(machine: Machine) -> None:
    group, begin = machine.pop_group()
    machine.push_new(Mapping())
    machine.set_items(group, begin)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value], machine.at)


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise Damage(f"its pickle imports something whose name is not a text, at byte {machine.at:,}")
    machine.name(module, name)


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
