from __future__ import annotations

import hashlib
import json
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.bundles import Bundle, DevicePlatform, archive, unpacked
from edgecheck.bundles.archive import open_wheel, pack
from edgecheck.bundles.contents import linked_libraries
from edgecheck.errors import BundleError

Writer = Callable[..., Path]
Bundled = Callable[..., Bundle]


def test_the_same_wheels_make_the_same_bytes(wheel: Writer, tmp_path: Path) -> None:
    wheels = [open_wheel(wheel("b", {"b/__init__.py": "b"})), open_wheel(wheel("a", {"a/__init__.py": "a"}))]
    one = pack(wheels, {"python": "3.11"}, tmp_path / "one")
    os.utime(wheels[0].source, (time.time() + 5000, time.time() + 5000))
    two = pack(wheels[::-1], {"python": "3.11"}, tmp_path / "two")
    assert one == two
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert one.sha256 == hashlib.sha256((tmp_path / "one").read_bytes()).hexdigest()
    assert one.size == (tmp_path / "one").stat().st_size


def test_the_digest_is_of_what_is_inside_and_not_of_how_zlib_packs_it(
    wheel: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = [open_wheel(wheel("a", {"a/x.bin": bytes(range(256)) * 100}))]
    one = pack(wheels, {}, tmp_path / "one")
    monkeypatch.setattr(archive, "_LEVEL", 1)
    two = pack(wheels, {}, tmp_path / "two")
    assert one.sha256 != two.sha256
    assert one.digest == two.digest


def test_members_are_sorted_and_carry_nothing_of_this_machine(wheel: Writer, tmp_path: Path) -> None:
    wheels = [open_wheel(wheel("z", {"z/b.py": "", "z/a.py": "", "a.py": ""}))]
    pack(wheels, {}, tmp_path / "out")
    with tarfile.open(tmp_path / "out") as tar:
        members = tar.getmembers()
    names = [member.name for member in members[1:]]
    assert members[0].name == "edgecheck-bundle.json"
    assert names == sorted(names)
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o644)
    }


def test_what_the_archive_says_about_itself(wheel: Writer, tmp_path: Path) -> None:
    source = wheel("foo", {"foo/__init__.py": "12345", "foo/tests/test_x.py": "1234567", "foo/x.pyi": "123"})
    found = pack([open_wheel(source)], {"python": "3.11"}, tmp_path / "out")
    with tarfile.open(tmp_path / "out") as tar:
        file = tar.extractfile("edgecheck-bundle.json")
        assert file is not None
        about = json.load(file)
        sizes = {member.name: member.size for member in tar.getmembers()}
    assert about["python"] == "3.11"
    assert about["wheels"] == [
        {
            "name": "foo",
            "version": "1.0",
            "file": source.name,
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        }
    ]
    assert about["unpacked_bytes"] == found.unpacked_size == sum(sizes.values()) - sizes["edgecheck-bundle.json"]
    assert {row["what"]: row["size"] for row in about["left_out"]} == {"tests": 7, "type stubs": 3, "pip's records": 0}


def test_licences_and_metadata_stay(wheel: Writer, tmp_path: Path) -> None:
    files = {"foo-1.0.dist-info/licenses/LICENSE": "MIT", "foo-1.0.dist-info/entry_points.txt": "", "NOTICE": "x"}
    pack([open_wheel(wheel("foo", files))], {}, tmp_path / "out")
    with tarfile.open(tmp_path / "out") as tar:
        names = set(tar.getnames())
    assert {*files, "foo-1.0.dist-info/METADATA", "foo-1.0.dist-info/WHEEL"} <= names
    assert "foo-1.0.dist-info/RECORD" not in names


def test_two_wheels_may_hold_the_same_file_but_not_two_of_one_name(wheel: Writer, tmp_path: Path) -> None:
    same = [open_wheel(wheel(name, {"google/__init__.py": "same"})) for name in ("a", "b")]
    pack(same, {}, tmp_path / "out")
    different = [
        open_wheel(wheel(name, {"onnxruntime/__init__.py": name})) for name in ("onnxruntime", "onnxruntime-gpu")
    ]
    with pytest.raises(BundleError, match=r"Two wheels hold different files called onnxruntime/__init__\.py") as caught:
        pack(different, {}, tmp_path / "out")
    assert "only one of them" in caught.value.hint


def test_a_library_that_the_rest_is_linked_to_stays(wheel: Writer, tmp_path: Path, real_library: bytes) -> None:
    """The rules leave out onnxruntime's C library; a release whose Python module links to it must keep it."""
    wanted = next(name for name in sorted(linked_libraries(real_library), key=len) if len(name) >= 20)
    renamed = "libonnxruntime.so.9".ljust(len(wanted), "0")
    linked = real_library.replace(wanted.encode(), renamed.encode())
    for module, stays in ((linked, True), (real_library, False)):
        files = {
            "onnxruntime/capi/onnxruntime_pybind11_state.so": module,
            f"onnxruntime/capi/{renamed}": b"library",
            "onnxruntime/tools/x.py": "",
        }
        pack([open_wheel(wheel("onnxruntime", files))], {}, tmp_path / "out")
        with tarfile.open(tmp_path / "out") as tar:
            names = tar.getnames()
        assert (f"onnxruntime/capi/{renamed}" in names) is stays
        assert "onnxruntime/tools/x.py" not in names


@pytest.fixture
def real_library(cache: Path, bundled: Bundled, here: Callable[..., DevicePlatform]) -> bytes:
    """numpy's core module, which needs an OpenBLAS with a long name."""
    folder = unpacked(bundled(["tflite-runtime==2.14.0"], here(python="3.11")), cache=cache)
    return next(folder.glob("numpy/core/_multiarray_umath.*.so")).read_bytes()
