"""Zip archives of every kind, against Python's own reader."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.encodings.ziparchive import read_archive
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
from tests.anatomy.made_files import archive, save, torch_pickle, torch_tensor

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 10
PICKLE = torch_pickle({"w": torch_tensor("0", "FloatStorage", 640, (0, (640,), (1,)))})


class Stream(io.BytesIO):
    """A stream that cannot be rewound, so that sizes follow the data."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
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


def test_what_stands_before_the_archive_is_a_gap(tmp_path: Path) -> None:
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
