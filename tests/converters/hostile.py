"""Model files that would run code when they are opened, and pickles that try to hide it."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Payload:
    """Once pickled, it creates a file when it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.marker), "w"))


def plain(marker: Path) -> bytes:
    return pickle.dumps(Payload(marker))


def text(marker: Path) -> bytes:
    return pickle.dumps({"a": Payload(marker)}, protocol=0)


def nested(marker: Path) -> bytes:
    """In an array of objects, which joblib pickles between the opcodes of its own pickle."""
    head = (
        b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\x00)\x81q\x01}q\x02("
        b"X\x05\x00\x00\x00shapeq\x03K\x01\x85q\x04X\x05\x00\x00\x00orderq\x05X\x01\x00\x00\x00Cq\x06"
        b"X\x05\x00\x00\x00dtypeq\x07cnumpy\ndtype\nq\x08X\x02\x00\x00\x00O8q\tK\x00K\x01\x87q\nRq\x0b"
        b"(K\x03X\x01\x00\x00\x00|q\x0cNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\rb"
        b"X\n\x00\x00\x00allow_mmapq\x0e\x89ub"
    )
    return head + pickle.dumps(np.array([Payload(marker)], dtype=object), protocol=2) + b"."


def wrapped(  # noqa: PLR0913 - one for each part of a wrapper that a file can choose
    content: bytes,
    *,
    code: str = "i4",
    shape: tuple[int, ...] = (2,),
    size: int = -1,
    flags: int = 0,
    more: bytes = b"",
    arguments: bytes = b")",
    maker: bytes = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n",
    call: bytes = b"\x81",
) -> bytes:
    """The opcodes that make and set joblib's wrapper of an array, and `content`, which joblib reads next.

    Args:
        content: The array's numbers.
        code: What `numpy.dtype` is called with.
        shape: As the wrapper has it.
        size: The size of an item, as the state of the type has it.
        flags: The flags in that state; 1 says that it holds references.
        more: Opcodes of further attributes.
        arguments: The opcodes of the arguments.
        maker: The opcodes of what is called.
        call: The opcode that calls it.
    """
    state = (3, "<", None, None, None, size, -1, flags)
    return (
        maker + arguments + call + b"}("
        b"X\x05\x00\x00\x00shape" + _value(shape) + b"X\x05\x00\x00\x00orderX\x01\x00\x00\x00C"
        b"X\x08\x00\x00\x00subclasscnumpy\nndarray\nX\x0a\x00\x00\x00allow_mmap\x89"
        b"X\x05\x00\x00\x00dtypecnumpy\ndtype\n" + _value((code, False, True)) + b"R" + _value(state) + b"b"
    ) + (more + b"ub" + content)


def _value(value: object) -> bytes:
    """The opcodes of a plain value."""
    return pickle.dumps(value, protocol=2)[2:-1]


def packed(marker: Path) -> bytes:
    """Compressed like `joblib.dump(..., compress=('gzip', 3))`."""
    return gzip.compress(plain(marker) + b"joblib")


def legacy(marker: Path) -> bytes:
    """The format of torch before 1.6: magic number, protocol, machine, object, keys."""
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    rest: list[object] = [1001, {"little_endian": True}, Payload(marker), []]
    return magic + b"".join(pickle.dumps(each, protocol=2) for each in rest)


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, each in members.items():
            written.writestr(name, each)
    return content.getvalue()


def pickled_torch(marker: Path) -> bytes:
    return archive({"m/data.pkl": plain(marker), "m/version": b"3", "m/byteorder": b"little"})


def exported(marker: Path) -> bytes:
    """A .pt2 whose sample inputs are a pickle: torch.export.load falls back to unsafe loading there."""
    inner = archive({"archive/data.pkl": plain(marker), "archive/version": b"3", "archive/byteorder": b"little"})
    return archive({"m/archive_format": b"pt2", "m/models/model.json": b"{}", "m/data/sample_inputs/model.pt": inner})


def exported_weight(marker: Path) -> bytes:
    """A .pt2 one of whose weights is a pickle in an archive, as `use_pickle` allows."""
    inner = archive({"archive/data.pkl": plain(marker), "archive/version": b"3"})
    return archive({"m/archive_format": b"pt2", "m/models/model.json": b"{}", "m/data/weights/weight_0": inner})


def described(marker: Path) -> bytes:
    """A .skops that names a function."""
    schema = f'{{"__class__": "open", "__module__": "io", "__loader__": "FunctionNode", "content": "{marker}"}}'
    return archive({"schema.json": schema.encode()})


#: By file name: builds a file whose payload creates the file `marker`.
HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "plain.pkl": plain,
    "text.pkl": text,
    "nested.joblib": nested,
    "packed.joblib": packed,
    "legacy.pth": legacy,
    "module.pt": pickled_torch,
    "exported.pt2": exported,
    "exported_weight.pt2": exported_weight,
    "described.skops": described,
}

#: Pickles by the trick with which they reach a function.
TRICKS = {
    "stack global": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x85R.",
    "names by memo": b"\x80\x04\x8c\x06system\x94\x8c\x05posix\x94h\x00\x93.",
    "instance": b"\x80\x02(S'true'\niposix\nsystem\n.",
    "object": b"\x80\x02(cposix\nsystem\nX\x04\x00\x00\x00trueo.",
    "dotted name": b"\x80\x04\x8c\x0bcollections\x94\x8c\x1aOrderedDict.fromkeys.__class\x93.",
    "python 2 name": b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
    "extension": b"\x80\x02\x82\x01.",
    "getattr": b"\x80\x02c__builtin__\ngetattr\n.",
    "numpy that runs text": b"\x80\x02cnumpy.testing._private.utils\nrunstring\n.",
    "sklearn that fetches": b"\x80\x02csklearn.datasets\nfetch_openml\n.",
    "joblib that loads": b"\x80\x02cjoblib.numpy_pickle\nload\n.",
    "partial": b"\x80\x02cfunctools\npartial\n.",
    "cut off": b"\x80\x02cposix\nsys",
    "unknown opcode": b"\x80\x02\xff.",
    "after the stop": b"\x80\x02N.cposix\nsystem\n.",
}
