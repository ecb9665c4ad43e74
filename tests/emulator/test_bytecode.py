"""What of a bundle is compiled, and by which Python; test_another_host.py compares the disks of two hosts.

Covers `emulator/disks.py`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import marshal
import platform
import subprocess
import sys
from importlib import resources
from pathlib import Path
from types import CodeType

import pytest

from edgecheck.emulator import disks
from edgecheck.emulator.hardware import Image

LIBRARY = "/usr/lib/python3.11"

#: More than 256 names before the import, whose index then takes two bytes.
MANY = "".join(f"n{number} = {number}\n" for number in range(300))


def written(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A bundle with a part of what imports look like, and a library with one module and a link out of it."""
    bundle = {
        "numpy/__init__.py": f"{MANY}from . import _core\nfrom .lib.deep import thing\nimport numpy.dotted\n",
        "numpy/_core/__init__.py": "try:\n    import fast\nexcept ImportError:\n    from . import slow\n",
        "numpy/_core/slow.py": "def later():\n    import numpy.unused\n",
        "numpy/lib/__init__.py": "",
        "numpy/lib/deep.py": "from ..other import (\n    a,\n    b,\n)\nthing = 1\n",
        "numpy/other/__init__.py": "a = 1\n",
        "numpy/other/b.py": "print 'for Python 2'\n",
        "numpy/dotted.py": "",
        "numpy/unused.py": "",
        "psutil/__init__.py": "from . import _pswindows\n",
        "psutil/_pswindows.py": "",
    }
    written(tmp_path / "root/bundle", bundle)
    written(tmp_path / f"root{LIBRARY}", {"json/__init__.py": "from .decoder import x\n", "json/decoder.py": "x = 1\n"})
    (tmp_path / "outside.py").write_text("")
    (tmp_path / f"root{LIBRARY}/queue.py").symlink_to(tmp_path / "outside.py")
    return tmp_path / "root"


def compiled(root: Path, folder: Path) -> dict[str, bytes]:
    script = resources.files("edgecheck.emulator") / "guest" / "warm.py"
    argv = [sys.executable, "-I", "-S", "-B", str(script), str(root), str(folder), LIBRARY]
    subprocess.run(argv, check=True)
    suffix = f".{sys.implementation.cache_tag}.pyc"
    return {str(path.relative_to(folder)).removesuffix(suffix): path.read_bytes() for path in folder.rglob("*.pyc")}


def test_what_is_imported_is_compiled(root: Path, tmp_path: Path) -> None:
    """Not what a function imports, what other systems do, what does not compile, or what a link leads to."""
    found = compiled(root, tmp_path / "out")

    modules = ("__init__", "_core/__init__", "_core/slow", "lib/__init__", "lib/deep", "other/__init__", "dotted")
    expected = {*(f"bundle/numpy/{name}" for name in modules), "bundle/psutil/__init__"}
    assert found.keys() == expected | {f"{LIBRARY[1:]}/json/__init__", f"{LIBRARY[1:]}/json/decoder"}


def test_the_byte_code_is_that_of_the_machines_paths(root: Path, tmp_path: Path) -> None:
    content = compiled(root, tmp_path / "out")["bundle/numpy/lib/deep"]

    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert content[4:8] == b"\x01\0\0\0"  # by hash, unchecked
    assert content[8:16] == importlib.util.source_hash((root / "bundle/numpy/lib/deep.py").read_bytes())
    code = marshal.loads(content[16:])
    assert isinstance(code, CodeType)
    assert code.co_filename == "/bundle/numpy/lib/deep.py"


def test_it_is_the_same_each_time(root: Path, tmp_path: Path) -> None:
    assert compiled(root, tmp_path / "one") == compiled(root, tmp_path / "two")


def with_python(version: str) -> Image:
    place = Path("/nowhere")
    running = ".".join(platform.python_version_tuple()[:2])
    return Image(
        system=place, kernel=place, initramfs=place, content="", python=running, origin="packages", bytes=0,
        versions={f"python{running}-minimal": version},
    )  # fmt: skip


def test_only_a_python_of_the_very_version_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    version = platform.python_version()
    running = ".".join(platform.python_version_tuple()[:2])
    monkeypatch.setattr("edgecheck.emulator.disks.shutil.which", {f"python{running}": sys.executable}.get)

    assert disks._same_python(with_python(f"{version}-6+deb12u9")) == sys.executable
    assert disks._same_python(with_python("3.11.0-1")) != sys.executable
    assert disks._same_python(dataclasses.replace(with_python(""), versions={})) is None
