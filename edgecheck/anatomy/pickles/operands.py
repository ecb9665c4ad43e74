"""What the opcodes of a pickle work on: a stack of operands, with marks in it, and a memo of those to come again."""

from __future__ import annotations

from edgecheck.anatomy.accounting.limits import ITEM, RECORD, TABLE
from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.pickles.objects import Mapping, Value


class _Mark:
    """Where a group of operands begins; one per MARK opcode."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Operands:
    """The operands of the pickle in `span`; `at` is the place of its next opcode."""

    def __init__(self, span: Span, at: int) -> None:
        self.at = at
        self._span = span
        self._stack: list[Value] = []
        self._memo: list[Value] = []  # in the order of MEMOIZE, which needs no index
        self._scattered: dict[int, Value] = {}  # what other opcodes put elsewhere

    def push(self, value: Value) -> None:
        """Push an operand."""
        self._stack.append(value)

    def push_new(self, value: Mapping | list[Value] | tuple[Value, ...]) -> None:
        """Push a container, and charge it."""
        self._span.work.spend(TABLE if isinstance(value, Mapping) else RECORD + ITEM * len(value))
        self._stack.append(value)

    def pop(self) -> Value:
        """Pop an operand."""
        if not self._stack or isinstance(self._stack[-1], _Mark):
            raise Damage(f"its pickle lacks an operand at byte {self.at - 1:,}")
        return self._stack.pop()

    def pop_group(self) -> tuple[list[Value], int]:
        """Pop the operands since the last mark; returns them, and the place of the mark."""
        for index in range(len(self._stack) - 1, -1, -1):
            mark = self._stack[index]
            if isinstance(mark, _Mark):
                group = self._stack[index + 1 :]
                del self._stack[index:]
                return group, mark.at
        raise Damage(f"its pickle lacks a mark at byte {self.at - 1:,}")

    def pop_any(self) -> None:
        """POP: an operand, or a mark."""
        if not self._stack:
            raise Damage(f"its pickle lacks an operand at byte {self.at - 1:,}")
        self._stack.pop()

    def mark(self) -> None:
        """MARK."""
        self._stack.append(_Mark(self.at))

    def put(self, index: int) -> None:
        """PUT, BINPUT and LONG_BINPUT: remember the last operand."""
        if not self._stack:
            raise Damage(f"its pickle lacks an operand at byte {self.at - 1:,}")
        if index in self._scattered:
            self._scattered[index] = self._stack[-1]
        elif index == len(self._memo):
            self._span.work.spend(ITEM)
            self._memo.append(self._stack[-1])
        elif index < len(self._memo):
            self._memo[index] = self._stack[-1]
        else:
            self._span.work.spend(2 * RECORD)
            self._scattered[index] = self._stack[-1]

    def memoize(self) -> None:
        """MEMOIZE."""
        self.put(len(self._memo) + len(self._scattered))

    def get(self, index: int) -> None:
        """GET, BINGET and LONG_BINGET: push a remembered operand."""
        if index in self._scattered:
            self.push(self._scattered[index])
        elif index < len(self._memo):
            self.push(self._memo[index])
        else:
            raise Damage(f"its pickle repeats what was never there, at byte {self.at - 1:,}")
