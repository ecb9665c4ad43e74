"""`edgecheck check --shard K/N` (`check.ShardParam`, `checks.plan.Shard`), and its parts put together again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.checks.check import Check
from edgecheck.checks.plan import Shard
from edgecheck.core.budget import Model, Variant
from examples.real_models import fetch
from tests.builders import budget, profile
from tests.cli.command import edgecheck

PARTS = ("1.json", "2.json", "3.json", "4.json")
OFF = "ram_peak: off, latency_p50: off, footprint: off, download: off"


def write_budgets(folder: Path) -> None:
    (folder / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    for name in ("a", "b"):
        devices = ", ".join(f"{device}: {{{OFF}, size: 2 MB}}" for device in ("pixel-8", "raspberry-pi-4-2gb"))
        (folder / f"{name}.yaml").write_text(f"model: net.onnx\ndevices: {{{devices}}}\n", encoding="utf-8")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write_budgets(tmp_path)
    return tmp_path


def checks(*names: str, folder: str = "") -> tuple[Check, ...]:
    return tuple(
        Check(
            budget=replace(budget(), path=f"{folder}{name}.yaml", model=Model(PurePath(f"{folder}{name}.onnx"))),
            variant=Variant("as-is"),
            profile=replace(profile(), id=device),
            limits=(),
            source="onnx",
            target=None,
        )
        for name in names
        for device in ("one", "two", "three")
    )


def place(check: Check) -> tuple[str, str]:
    return Path(check.budget.path).name, check.profile.id


@given(st.lists(st.text("abc", min_size=1), unique=True, max_size=9), st.integers(1, 12))
def test_every_check_is_in_one_part_and_the_parts_are_even(names: list[str], count: int) -> None:
    every = checks(*names)
    parts = [Shard(number, count).of(every) for number in range(1, count + 1)]
    assert sorted(place(check) for part in parts for check in part) == sorted(map(place, every))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_part_is_the_same_in_any_order_and_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Shard(2, 4).of(checks("a", "b", "c"))
    monkeypatch.chdir(tmp_path)
    other = Shard(2, 4).of(checks("c", "a", "b", folder=f"{tmp_path}/"))
    assert sorted(map(place, one)) == sorted(map(place, other))


def test_a_part_is_the_same_in_every_version() -> None:
    assert list(map(place, Shard(1, 3).of(checks("a", "b", "c")))) == FIRST_OF_THREE


def test_no_device_is_all_one_parts() -> None:
    parts = [Shard(number, 3).of(checks(*"abcdefghijkl")) for number in (1, 2, 3)]
    assert all(len({check.profile.id for check in part}) == 3 for part in parts)


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the four parts of a check: `1.json` to `4.json`."""
    folder = tmp_path_factory.mktemp("quarters")
    write_budgets(folder)
    for number in (1, 2, 3, 4):
        shard = ("--shard", f"{number}/4", "--format", f"json={number}.json")
        done = edgecheck("check", "a.yaml", "b.yaml", *shard, cwd=folder)
        assert (done.code, done.err) == (0, "")
    return folder


def test_the_parts_of_a_real_check_make_the_entire_check(quarters: Path) -> None:
    done = edgecheck("report", *PARTS, "--format", "json", cwd=quarters)
    found = json.loads(done.out)
    assert sorted((check["budget"], check["device"]) for check in found["checks"]) == [
        (f"{name}.yaml", device) for name in ("a", "b") for device in ("pixel-8", "raspberry-pi-4-2gb")
    ]
    assert found["status"] == "pass"


def test_a_part_that_is_missing_is_reported(quarters: Path) -> None:
    done = edgecheck("report", "1.json", "3.json", "--format", "markdown=summary.md", cwd=quarters)
    assert (done.code, done.err) == (3, "edgecheck: shards 2/4, 4/4 are missing from these reports.\n")
    assert "Every limit holds: 2 limits in 2 checks." in (quarters / "summary.md").read_text(encoding="utf-8")
    assert edgecheck("report", "1.json", "2.json", "4.json", cwd=quarters).err == (
        "edgecheck: shard 3/4 is missing from these reports.\n"
    )
    # One alone is not meant to be all, and what was put together is no part any more.
    assert edgecheck("report", "2.json", cwd=quarters).code == 0
    edgecheck("report", *PARTS, "--format", "json=all.json", cwd=quarters)
    assert edgecheck("report", "all.json", "all.json", cwd=quarters).code == 0


def test_an_empty_part_passes_and_says_so(here: Path) -> None:
    six = [edgecheck("check", "a.yaml", "b.yaml", "--shard", f"{number}/6", cwd=here) for number in range(1, 7)]
    assert (six[-1].out, six[-1].err) == (
        "Nothing was judged.\n",
        "edgecheck: shard 6/6 has no check: there are fewer checks than shards.\n",
    )
    assert [done.code for done in six] == [0] * 6


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0/4", "there is no shard 0/4; expected 1/4 to 4/4."),
        ("5/4", "there is no shard 5/4; expected 1/4 to 4/4."),
        ("1/0", "there is no shard 1/0; 1/1 is the first."),
        ("2", "'2' is not a shard; write K/N, such as 2/4."),
        ("a/b", "'a/b' is not a shard; write K/N, such as 2/4."),
        ("-1/4", "'-1/4' is not a shard; write K/N, such as 2/4."),
        ("1/4/8", "'1/4/8' is not a shard; write K/N, such as 2/4."),
        ("", "'' is not a shard; write K/N, such as 2/4."),
    ],
)
def test_a_wrong_part_is_wrong_usage(value: str, message: str, here: Path) -> None:
    done = edgecheck("check", "a.yaml", "--shard", value, cwd=here)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(f"Error: Invalid value for '--shard': {message}\n")


FIRST_OF_THREE = [("a.yaml", "one"), ("b.yaml", "three"), ("c.yaml", "two")]
