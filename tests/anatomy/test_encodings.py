"""Zip archives of every kind against Python's reader, protocol buffers against their library, spans and streams.

The readers' tests cover flatbuffers and JSON.
"""

from __future__ import annotations

import bz2
import gzip
import io
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto

from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.encodings.streams import compression, unpacked
from edgecheck.anatomy.encodings.wire import BYTES, FIXED32, VARINT, field_at, fields, packed, run_at, varint
from edgecheck.anatomy.encodings.ziparchive import read_archive
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
from tests.anatomy.small_files import archive, save, torch_pickle, torch_tensor

CONTENT = bytes(range(256)) * 10
PICKLE = torch_pickle({"w": torch_tensor("0", "FloatStorage", 640, (0, (640,), (1,)))})


class Stream(io.BytesIO):
    """A stream that cannot be rewound, so that sizes follow the data."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def progress(self) -> int:
        raise io.UnsupportedOperation


def written(opened: zipfile.ZipFile, *, wide: bool = False) -> None:
    for name, content in (("net/data.pkl", PICKLE), ("net/data/0", CONTENT), ("net/version", b"3")):
        with opened.open(zipfile.ZipInfo(name), "w", force_zip64=wide) as member:
            member.write(content)


def plain() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        written(opened)
    return buffer.getvalue()


def wide() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        written(opened, wide=True)
    return buffer.getvalue()


def streamed() -> bytes:
    buffer = Stream()
    with zipfile.ZipFile(buffer, "w") as opened:
        written(opened)
    return buffer.getvalue()


def streamed_wide() -> bytes:
    buffer = Stream()
    with zipfile.ZipFile(buffer, "w") as opened:
        written(opened, wide=True)
    return buffer.getvalue()


def commented() -> bytes:
    buffer = io.BytesIO(plain())
    with zipfile.ZipFile(buffer, "a") as opened:
        opened.comment = b"a comment"
    return buffer.getvalue()


def wide_end() -> bytes:
    """With zip64 end records, as torch writes them for every archive."""
    content = plain()
    end = content.rfind(b"PK\x05\x06")
    count, size, offset = (
        int.from_bytes(content[end + at : end + at + width], "little") for at, width in ((10, 2), (12, 4), (16, 4))
    )
    wide_record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12)
    wide_record += b"".join(number.to_bytes(8, "little") for number in (count, count, size, offset))
    locator = b"PK\x06\x07" + bytes(4) + end.to_bytes(8, "little") + (1).to_bytes(4, "little")
    short = content[end : end + 8] + b"\xff" * 12 + b"\0\0"
    return content[:end] + wide_record + locator + short


ARCHIVES = {"plain": plain, "wide": wide, "streamed": streamed, "streamed wide": streamed_wide, "commented": commented}


@pytest.mark.parametrize("kind", [*ARCHIVES, "wide end"])
def test_members_are_those_of_zipfile(kind: str, tmp_path: Path) -> None:
    content = ARCHIVES[kind]() if kind in ARCHIVES else wide_end()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        expected = {info.filename: (opened.read(info), info.CRC) for info in opened.infolist()}
    found = read_archive(Span(content))
    assert {each.name: (content[each.start : each.start + each.packed], each.crc) for each in found.members} == expected
    model = read(save(tmp_path / "net.pt", content))
    assert model.totals.size == len(content)
    assert model.totals.unclaimed == 0
    assert model.totals.tensors == len(CONTENT)


def test_data_before_the_archive_is_skipped(tmp_path: Path) -> None:
    content = plain()
    found = read_archive(Span(b"#!/bin/sh\n" + content))
    assert found.begin == 10
    assert [member.name for member in found.members] == ["net/data.pkl", "net/data/0", "net/version"]


BROKEN = {
    "no end": lambda content: content[:-30],
    "too many": lambda content: content[: content.rfind(b"PK\x05\x06") + 10] + b"\xfe\xff" + content[-10:],
    "no header": lambda content: b"XX" + content[2:],
    "no entry": lambda content: content.replace(b"PK\x01\x02", b"PK\x01\x03"),
    "no descriptor": lambda content: content.replace(b"PK\x07\x08", b"PK\x07\x09"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_archives_are_refused(case: str) -> None:
    content = streamed() if case == "no descriptor" else plain()
    with pytest.raises(Damage):
        read_archive(Span(BROKEN[case](content)))


def test_storages_that_are_compressed_are_refused(tmp_path: Path) -> None:
    members = {"net/data.pkl": PICKLE, "net/data/0": CONTENT, "net/version": b"3"}
    with pytest.raises(ModelError, match="its storage data/0 is compressed, which torch does not read"):
        read(save(tmp_path / "net.pt", archive(members, compression=zipfile.ZIP_DEFLATED)))


def test_methods_that_are_not_read_are_named(tmp_path: Path) -> None:
    members = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": CONTENT}
    with pytest.raises(ModelError, match=r"its member 'model.weights.h5' is compressed by method 12"):
        read(save(tmp_path / "m.keras", archive(members, compression=zipfile.ZIP_BZIP2)))


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**63 - 1, -1, -(2**63)])
def test_varints_are_those_of_protocol_buffers(number: int) -> None:
    data = TensorProto(int64_data=[number, 7]).SerializeToString()
    (field,) = fields(data, 0, len(data))
    assert (field.number, field.wire) == (7, BYTES)
    assert packed(data, field) == [number, 7]
    assert run_at(data, field, len(data), VARINT) == (field.start, len(data), 2)


def test_a_varint_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(Damage, match="is longer than 64 bits"):
        varint(b"\xff" * 11, 0, 11)
    with pytest.raises(Damage, match="is cut off"):
        varint(b"\xff", 0, 1)


@pytest.mark.parametrize("data", [b"\x0b", b"\x0a\x05abc", b"\x02\x00", b"\x0d\x00\x00"])
def test_fields_that_are_broken_are_refused(data: bytes) -> None:
    with pytest.raises(Damage):
        list(fields(data, 0, len(data)))


def test_a_run_of_unpacked_floats_ends_at_another_field() -> None:
    one = b"\x25\x00\x00\x80\x3f"  # field 4, I32
    data = one * 3 + b"\x08\x01" + one
    assert run_at(data, field_at(data, 0, len(data)), len(data), FIXED32) == (0, 15, 3)


@pytest.mark.parametrize(("at", "size"), [(-1, 1), (0, 5), (5, 0), (4, 1), (2**64, 1), (0, -1)])
def test_spans_cannot_be_read_outside_themselves(at: int, size: int) -> None:
    span = Span(b"0123456789", 3, 4)
    assert span.raw(0, 4) == b"3456"
    for read_at in (span.raw, span.sub, span.text):
        with pytest.raises(Damage, match="reach beyond the 4 bytes"):
            read_at(at, size)


@pytest.mark.parametrize(("how", "pack"), [("gzip", gzip.compress), ("zlib", zlib.compress), ("bz2", bz2.compress)])
def test_streams_map_their_content_to_their_bytes(how: str, pack: Callable[[bytes], bytes]) -> None:
    content = random.Random(0).randbytes(100_000)
    stream = pack(content)
    assert compression(stream) == how
    with unpacked(Span(stream + b"more"), how) as found:
        assert found.span.raw(0, found.span.size) == content
        assert found.packed == len(stream)
        places = [found.place(at) for at in range(0, len(content) + 1, 1000)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, len(stream))
    with pytest.raises(Damage, match=f"its {how} stream has been cut off"), unpacked(Span(stream[:-20]), how):
        pass


def test_unknown_compression_is_refused() -> None:
    sentence = "it is compressed with lz4, which edgecheck does not unpack"
    with pytest.raises(Damage, match=sentence), unpacked(Span(b"\x04\x22\x4d\x18"), "lz4"):
        pass
