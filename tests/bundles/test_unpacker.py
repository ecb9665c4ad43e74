from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.bundles import unpacker
from edgecheck.bundles.archive import Packed, open_wheel, pack
from edgecheck.bundles.unpacker import DamagedError

SCRIPT = Path(unpacker.__file__)
FILES = {
    "foo/__init__.py": "from foo.deep import answer\n",
    "foo/deep.py": "answer = 42\n",
    "foo/data.bin": os.urandom(99),
}


@pytest.fixture
def packed(wheel: Callable[..., Path], tmp_path: Path) -> tuple[Path, Packed]:
    archive = tmp_path / "bundle.tar.gz"
    return archive, pack([open_wheel(wheel("foo", {**FILES, "foo/lib.so": os.urandom(200_000)}))], {}, archive)


def run(python: Path, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([python, SCRIPT, *arguments], input=stdin, capture_output=True, check=False)


def test_every_python_unpacks_compiles_and_imports(
    python: tuple[str, Path], packed: tuple[Path, Packed], tmp_path: Path
) -> None:
    version, interpreter = python
    archive, made = packed
    folder = tmp_path / "cache" / "bundle"
    done = run(interpreter, archive, folder, made.digest)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "foo/data.bin").read_bytes() == FILES["foo/data.bin"]
    tag = "cpython-" + version.replace(".", "")
    assert (folder / f"foo/__pycache__/deep.{tag}.pyc").exists()
    assert [each.name for each in folder.parent.iterdir()] == ["bundle"]
    # byte code is used without checking the source, so a read-only disk with any file times will do
    script = f"import sys; sys.path.insert(0, {str(folder)!r}); import foo; print(foo.answer, foo.deep.__cached__)"
    output = subprocess.run([interpreter, "-I", "-B", "-v", "-c", script], capture_output=True, text=True, check=True)
    assert output.stdout.startswith("42 ")
    assert f"code object from '{folder}/foo/deep.py'" not in output.stderr


def test_from_stdin_as_it_arrives(packed: tuple[Path, Packed], tmp_path: Path, python: tuple[str, Path]) -> None:
    archive, made = packed
    done = run(python[1], "-", tmp_path / "bundle", made.digest, stdin=archive.read_bytes())
    assert done.returncode == 0
    assert (tmp_path / "bundle/foo/deep.py").read_text() == FILES["foo/deep.py"]


def test_a_folder_that_exists_is_not_touched(packed: tuple[Path, Packed], tmp_path: Path) -> None:
    archive, made = packed
    assert unpacker.unpack(str(archive), tmp_path / "bundle", made.digest)
    marker = tmp_path / "bundle/marker"
    marker.touch()
    assert not unpacker.unpack(str(archive), tmp_path / "bundle", made.digest)
    assert marker.exists()


@pytest.mark.parametrize("cut", [0, 1, 9, 200, 100_000, -1, -9])
def test_an_archive_that_is_cut_off(packed: tuple[Path, Packed], tmp_path: Path, cut: int) -> None:
    archive, made = packed
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(DamagedError):
        unpacker.unpack(str(archive), tmp_path / "cache/bundle", made.digest)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("place", [0, 3, 300, 100_000, -5])
def test_an_archive_with_a_flipped_byte(packed: tuple[Path, Packed], tmp_path: Path, place: int) -> None:
    archive, made = packed
    content = bytearray(archive.read_bytes())
    content[place] ^= 0xFF
    archive.write_bytes(content)
    if place == 3:  # gzip's flags: the header itself no longer parses
        with pytest.raises((DamagedError, OSError)):
            unpacker.unpack(str(archive), tmp_path / "cache/bundle", made.digest)
    else:
        with pytest.raises(DamagedError):
            unpacker.unpack(str(archive), tmp_path / "cache/bundle", made.digest)
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_bundle_than_the_one_named(
    packed: tuple[Path, Packed], tmp_path: Path, python: tuple[str, Path]
) -> None:
    archive, made = packed
    done = run(python[1], archive, tmp_path / "bundle", "0" * 64)
    assert done.returncode == 1
    assert done.stderr.decode() == f"the archive holds {made.digest}, not {'0' * 64}\n"
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil.py", tarfile.REGTYPE),
        ("/tmp/evil.py", tarfile.REGTYPE),
        ("foo/../../evil.py", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("device", tarfile.CHRTYPE),
    ],
)
def test_an_archive_that_writes_elsewhere(tmp_path: Path, name: str, kind: bytes) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member, io.BytesIO())
    (tmp_path / "evil.tar.gz").write_bytes(gzip.compress(content.getvalue()))
    with pytest.raises(DamagedError, match="does not belong in a bundle"):
        unpacker.unpack(str(tmp_path / "evil.tar.gz"), tmp_path / "cache/bundle", "0" * 64)
    assert list((tmp_path / "cache").iterdir()) == []
    assert {each.name for each in tmp_path.iterdir()} == {"evil.tar.gz", "cache"}


def test_what_a_killed_unpacker_left_goes_after_an_hour(packed: tuple[Path, Packed], tmp_path: Path) -> None:
    archive, made = packed
    old, young = tmp_path / ".unpacking-old", tmp_path / ".unpacking-young"
    for folder in (old, young):
        (folder / "foo").mkdir(parents=True)
    os.utime(old, (time.time() - 4000, time.time() - 4000))
    unpacker.unpack(str(archive), tmp_path / "bundle", made.digest)
    assert (old.exists(), young.exists()) == (False, True)


def test_many_at_once_leave_one_complete_folder(packed: tuple[Path, Packed], tmp_path: Path) -> None:
    archive, made = packed
    argv = [sys.executable, str(SCRIPT), str(archive), str(tmp_path / "cache/bundle"), made.digest]
    running = [subprocess.Popen(argv) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert [each.name for each in (tmp_path / "cache").iterdir()] == ["bundle"]
    assert (tmp_path / "cache/bundle/foo/lib.so").stat().st_size == 200_000
