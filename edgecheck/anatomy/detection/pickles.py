"""Whether a file is a pickle, and whose: plain, joblib's or torch's, packed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.streams import compression, unpacked_head
from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.anatomy.encodings.span import Span

TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickle of torch's magic number 0x1950a86a20f9469cfc6c, with which its files began before 1.6."""
_PROTO = 0x80
_PROTOCOLS = (2, 3, 4, 5)
_SHORTEST = b"\x80\x02N."
_LOOK_AHEAD = 4 << 20
"""How far a joblib's first array is looked for: about a millisecond's search."""
_PLAUSIBLE_NEXT = b"}])(NKJMGXUcVTCB\x88\x89\x8a\x8c\x95\x96\x8e\x8d\x8f\x91FILS"
"""Opcodes with which an object may begin."""


def pickle_format(span: Span, head: bytes) -> str | None:
    """The value of the `ModelFormat` of a pickle that is not compressed, or `None`."""
    if head.startswith(TORCH_LEGACY_MAGIC):
        return "torch-legacy"
    if not _is_binary_pickle(head) and not _is_text_pickle(span, head):
        return None
    return "joblib" if b"joblib" in span.raw(0, min(span.size, _LOOK_AHEAD)) else "pickle"


def _is_binary_pickle(head: bytes) -> bool:
    if len(head) < len(_SHORTEST):
        return False
    return head[0] == _PROTO and head[1] in _PROTOCOLS and head[2] in _PLAUSIBLE_NEXT


def compressed_pickle(path: Path, span: Span, head: bytes) -> str | None:
    """The same for a pickle that joblib compressed.

    Raises:
        ModelError: it is compressed, but what is inside is no pickle.
    """
    name = compression(head)
    if name is None:
        return None
    inside = unpacked_head(span, name)
    if inside[:1] == b"\x80" or inside.startswith(b"c"):
        return "joblib"
    if name == "zlib":  # its signature is two bytes, which other files have too
        return None
    raise ModelError(f"{path} is compressed with {name}.", "Unpack it and name the file inside.")


def _is_text_pickle(span: Span, head: bytes) -> bool:
    """Whether it is a pickle of protocol 0 or 1, which has no signature: by how its writers begin."""
    if span.raw(span.size - 1, 1) != b".":
        return False
    if head.startswith((b"(dp", b"(lp", b"(i", b"}q", b"]q")):
        return True
    module, _, rest = head[1:256].partition(b"\n")
    names = (module, rest.partition(b"\n")[0])
    return head[:1] == b"c" and all(_dotted(name) for name in names)


def _dotted(name: bytes) -> bool:
    return name.replace(b".", b"_").decode("ascii", "replace").isidentifier()
