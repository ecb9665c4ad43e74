"""A compressed stream, unpacked to a bounded size, with a map from unpacked places to packed ones."""

from __future__ import annotations

import mmap
import tempfile
from bisect import bisect_right
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.encodings.span import Damage, FileMap, Span
from edgecheck.anatomy.encodings.streams import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_MEMORY = 16 << 20
_ALWAYS_ALLOWED, _RATIO_ALLOWED, _NEVER_ALLOWED = 256 << 20, 64, 4 << 30
"""A stream may unpack to 256 MiB, or to 64 times its size, but never beyond 4 GiB: a bomb is not a model."""


class Unpacked(NamedTuple):
    """What came out, and where each byte of it was."""

    span: Span
    packed: int
    """Bytes of the stream that were used; what follows is not part of it."""
    marks_out: list[int]
    marks_in: list[int]

    def place(self, at: int) -> int:
        """Where in the stream the unpacked byte `at` was, interpolated within a piece; it grows with `at`."""
        index = bisect_right(self.marks_out, at) - 1
        if index + 1 >= len(self.marks_out):
            return self.packed
        begin, end = self.marks_out[index], self.marks_out[index + 1]
        width = self.marks_in[index + 1] - self.marks_in[index]
        return self.marks_in[index] + (at - begin) * width // (end - begin)


@contextmanager
def unpacked(span: Span, how: str) -> Iterator[Unpacked]:
    """The whole stream, in memory while it is small and else in a private temporary file.

    Raises:
        Damage: it is cut off, broken, of an unknown kind, or unpacks to far more than a model would.
    """
    allowed = min(max(_ALWAYS_ALLOWED, _RATIO_ALLOWED * span.size), _NEVER_ALLOWED)
    marks_out, marks_in, total, used = [0], [0], 0, 0
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        for out, used in pieces(span, how):
            total += len(out)
            if total > allowed:
                raise Damage(f"its {span.size:,} compressed bytes unpack to more than {allowed:,}")
            file.write(out)
            if out:
                marks_out.append(total)
                marks_in.append(used)
        marks_in[-1] = used
        file.seek(0)
        if total <= _IN_MEMORY:
            yield Unpacked(Span(file.read()), used, marks_out, marks_in)
            return
        file.flush()
        with FileMap(file.fileno(), total, access=mmap.ACCESS_READ) as data:
            yield Unpacked(Span(data), used, marks_out, marks_in)
