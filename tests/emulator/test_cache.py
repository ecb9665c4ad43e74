"""The digest that the emulator's stores use; tests/test_store.py covers the stores."""

from __future__ import annotations

from pathlib import Path

from edgecheck.emulator.cache import sparse_digest


def test_a_digest_sees_place_size_and_content_but_not_holes(tmp_path: Path) -> None:
    def sparse(name: str, place: int, size: int, content: bytes = b"x") -> str:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
            file.seek(place)
            file.write(content)
        return sparse_digest(tmp_path / name)

    def dense(size: int, place: int) -> str:
        (tmp_path / "dense").write_bytes(bytes(place) + b"x" + bytes(size - place - 1))
        return sparse_digest(tmp_path / "dense")

    first = sparse("a", 5_000_000, 9_000_000)
    assert dense(9_000_000, 5_000_000) == first
    assert sparse("b", 5_000_001, 9_000_000) != first
    assert sparse("c", 5_000_000, 9_000_001) != first
    assert sparse("d", 5_000_000, 9_000_000, b"y") != first
    assert sparse("e", 0, 1 << 36)  # 64 GiB of holes are no work
