"""Which open dimensions are the batch, and what is asked for the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.anatomy.signature import Port
from edgecheck.checks.open_dimensions import missing
from tests.cli.command import edgecheck
from tests.cli.onnx_models import with_a_state, with_open_dimensions


def port(name: str, *shape: int | str | None, dtype: str = "float32") -> Port:
    """An input; a text is the name of an open dimension."""
    sizes = tuple(size if isinstance(size, int) else None for size in shape)
    return Port(name, dtype, sizes, tuple(size if isinstance(size, str) else "" for size in shape))


@pytest.mark.parametrize(
    "ports",
    [
        [port("x", None, 4)],
        [port("x", "N", 3, 8, 8), port("state", 2, "N", 64)],
        [port("x", 1, 4)],
        [port("texts", None, dtype="string")],
        [port("a", None), port("b", None)],
        [port("x", "batch_len", 4)],
        [],
    ],
)
def test_an_open_batch_is_one(ports: list[Port]) -> None:
    assert missing(ports, {}) == ()


@pytest.mark.parametrize(
    ("ports", "sizes"),
    [
        ([port("x", None, None)], {"x": "1,D1"}),
        ([port("x", "batch", "samples"), port("state", 2, "batch", 128)], {"x": "1,SAMPLES"}),
        ([port("x", None, None), port("state", 2, None, 128)], {"x": "1,D1", "state": "2,D2,128"}),
        ([port("image", None, 3, None, None)], {"image": "1,3,H,W"}),
        ([port("image", None, None, None, 3)], {"image": "1,H,W,3"}),
        ([port("ids", "batch", "seq"), port("mask", "batch", "seq")], {"ids": "1,SEQ", "mask": "1,SEQ"}),
        ([port("image", "?", 3, "?", "?")], {"image": "1,3,H,W"}),
        ([port("image", "p2o.0", 3, "p2o.1", "p2o.2")], {"image": "1,3,H,W"}),
        ([port("sound", None)], {"sound": "D1"}),
        ([port("frames", "time", 1, 40)], {"frames": "TIME,1,40"}),
    ],
)
def test_any_other_open_dimension_is_asked_for(ports: list[Port], sizes: dict[str, str]) -> None:
    assert {each.name: ",".join(each.sizes) for each in missing(ports, {})} == sizes
    assert missing(ports, sizes) == ()


def test_names_are_taken_without_what_converters_add() -> None:
    assert missing([port("serving_default_x:0", 1, None)], {"x"}) == ()


def test_the_command_to_type_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(with_a_state())
    limits = ("--limit", "latency_p50=50ms", "--limit", "size=1MB", "--threads", "2")
    board = ("--device", "raspberry-pi-4-2gb", "--target", "ssh://nobody@127.0.0.1:1")
    done = edgecheck("check", "net.onnx", *board, *limits, cwd=tmp_path)
    assert done.code == 3
    typed = (
        "edgecheck check net.onnx --device raspberry-pi-4-2gb --target ssh://nobody@127.0.0.1:1 --limit size=1MB "
        "--limit latency_p50=50ms --threads 2 --input input=1,SAMPLES"
    )
    assert typed in " ".join(done.out.split())
    assert "input input has shape [?, ?]" in " ".join(done.out.split())


def test_a_budget_is_told_the_line_to_write(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(with_open_dimensions())
    budget = "model: net.onnx\nlimits: {latency_p50: 1 s, size: 1 MB}\ndevices: [this-machine]\n"
    (tmp_path / "net.yaml").write_text(budget, encoding="utf-8")
    done = edgecheck("check", "net.yaml", cwd=tmp_path)
    assert done.code == 3
    assert "Write `inputs: {x: [1, LENGTH]}` into net.yaml" in " ".join(done.out.split())


def test_the_shape_on_the_command_line_is_used(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(with_open_dimensions())
    limits = ("--limit", "ram_peak=1GiB", "--limit", "size=1MB")
    done = edgecheck("check", "net.onnx", "--input", "x=1,7", *limits, cwd=tmp_path)
    assert done.code == 0, done.out
    assert "pass  ram_peak" in done.out
