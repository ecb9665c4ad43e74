"""What a wheel installs, and the wheels that are refused. Covers `archive.py`."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.bundles.archive import open_wheel
from edgecheck.errors import BundleError

Writer = Callable[..., Path]


def test_what_a_wheel_says_about_itself(wheel: Writer) -> None:
    path = wheel("Foo.Bar", {"foo/__init__.py": "x = 1\n"}, "numpy>=1.2; python_version > '3'", version="2.0")
    found = open_wheel(path)
    assert (found.wheel.name, found.wheel.version) == ("foo-bar", "2.0")
    assert found.wheel.file == path.name
    assert [str(need) for need in found.dependencies] == ['numpy>=1.2; python_version > "3"']
    with found.reading() as read:
        contents = {member.path: read(member) for member in found.members}
    assert contents["foo/__init__.py"] == b"x = 1\n"


def test_layout_of_data_folders(wheel: Writer) -> None:
    """PEP 427: purelib and platlib go next to the package; scripts, headers and data go elsewhere."""
    path = wheel(
        "foo",
        {
            "foo-1.0.data/purelib/foo/pure.py": "",
            "foo-1.0.data/platlib/foo/native.so": "",
            "foo-1.0.data/scripts/foo": "",
            "foo-1.0.data/data/share/man/foo.1": "",
            "foo-1.0.data/headers/foo.h": "",
            "foo/x.py": "",
        },
    )
    paths = [member.path for member in open_wheel(path).members if "dist-info" not in member.inside]
    assert paths == ["foo/pure.py", "foo/native.so", "", "", "", "foo/x.py"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "foo/../../evil.py",
        "/etc/evil",
        "foo//evil.py",
        "./evil.py",
        "foo\\..\\evil.py",
        "foo-1.0.data/purelib/../../evil.py",
        "foo/new\nline.py",
    ],
)
def test_names_that_point_out_of_their_folder(wheel: Writer, name: str) -> None:
    path = wheel("foo", {name: "import os\n"})
    with pytest.raises(BundleError, match="points out of its folder") as caught:
        open_wheel(path)
    assert "foo-1.0-py3-none-any.whl" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(wheel: Writer, kind: int) -> None:
    path = wheel("foo", {})
    link = zipfile.ZipInfo("foo/passwd")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match="'foo/passwd' is not a regular file"):
        open_wheel(path)


def test_executable_files(wheel: Writer) -> None:
    path = wheel("foo", {"foo/plain": ""})
    tool = zipfile.ZipInfo("foo/tool")
    tool.external_attr = (stat.S_IFREG | 0o775) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(tool, "#!/bin/sh\n")
    executable = {member.path: member.executable for member in open_wheel(path).members}
    assert executable["foo/tool"]
    assert not executable["foo/plain"]


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(17)])
def test_a_file_that_is_not_a_zip(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foo-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="cannot be used"):
        open_wheel(path)


def test_a_name_that_is_not_a_wheels(wheel: Writer) -> None:
    path = wheel("foo", {})
    with pytest.raises(BundleError, match="cannot be used"):
        open_wheel(path.rename(path.with_name("foo.whl")))


def test_metadata_that_is_missing_or_wrong(tmp_path: Path, wheel: Writer) -> None:
    empty = tmp_path / "bar-1.0-py3-none-any.whl"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("bar.py", "")
    with pytest.raises(BundleError, match="it has no METADATA"):
        open_wheel(empty)
    with pytest.raises(BundleError, match="cannot be used"):
        open_wheel(wheel("foo", {}, "not a requirement at all"))


def test_a_flipped_byte_is_found_when_it_is_read(wheel: Writer) -> None:
    path = wheel("foo", {"foo/data.bin": bytes(range(256)) * 64})
    content = bytearray(path.read_bytes())
    content[content.index(b"foo/data.bin") + 40] ^= 0xFF
    path.write_bytes(content)
    found = open_wheel(path)
    member = next(each for each in found.members if each.path == "foo/data.bin")
    with pytest.raises(BundleError, match="cannot be used"), found.reading() as read:
        read(member)
