"""Which libraries an ELF file is linked to; test_archive.py covers what is left out of a bundle."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.bundles import Bundle, DevicePlatform, unpacked
from edgecheck.bundles.contents import linked_libraries


@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf to compare with")
@pytest.mark.parametrize(
    ("requirement", "platform"),
    [
        ("tflite-runtime==2.14.0", DevicePlatform("3.11", "aarch64")),
        ("psutil", DevicePlatform("3.9", "i686")),  # 32-bit
        ("PyYAML", DevicePlatform("3.11", "s390x")),  # big-endian
    ],
)
def test_readelf_says_the_same(
    requirement: str, platform: DevicePlatform, bundled: Callable[..., Bundle], cache: Path
) -> None:
    folder = unpacked(bundled([requirement], platform), cache=cache)
    libraries = [path for path in folder.rglob("*") if ".so" in path.suffixes]
    for library in libraries:
        output = subprocess.run(["readelf", "-dW", library], capture_output=True, text=True, check=True).stdout
        assert linked_libraries(library.read_bytes()) == set(re.findall(r"\(NEEDED\).*\[(.+)\]", output)), library
    assert libraries


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF" + bytes(100), b"\x7fELF\x02\x01" + b"\xff" * 100, b"x" * 99]
)
def test_a_file_that_is_not_a_library_is_linked_to_nothing(content: bytes) -> None:
    assert linked_libraries(content) == frozenset()
