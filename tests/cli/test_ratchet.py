"""`edgecheck budget ratchet` (and `config.ratchet`): the values change, and nothing else in the file does."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.config.ratchet import rewritten
from edgecheck.core.metrics import METRICS, Direction
from edgecheck.core.units import parse
from examples.real_models import fetch
from tests.cli.command import edgecheck

BUDGET = """\
# Why these limits: see the wiki.   \r
model:   net.onnx      # the detector
limits:
    # what an update may send
    "download":  '900 MB'   # quoted, spaced
    size: {warn: 1 kB, error: 100MB}  # two levels
    params:   1_000_000_000
    ram_peak: &ram 40 GiB
    ram_model: *ram
    load_time: off

devices:
  this-machine:
    latency_p50: {error: 100 s, on_unknown: warn}\t
    footprint: 1 B
measure: {min_time: 50 ms, warmup_time: 10 ms}
  # nobody has one of these
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A budget, and the results of a check of it."""
    folder = tmp_path_factory.mktemp("ratchet")
    (folder / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    (folder / "net.yaml").write_bytes(BUDGET.encode())
    done = edgecheck("check", "net.yaml", "--format", "json=head.json", cwd=folder)
    assert done.code == 3, done.err  # no runtime is known here, so the footprint is not either
    return folder


@pytest.fixture
def here(checked: Path, tmp_path: Path) -> Path:
    for name in ("net.yaml", "head.json", "net.onnx"):
        (tmp_path / name).write_bytes((checked / name).read_bytes())
    return tmp_path


def found(folder: Path) -> dict[str, float]:
    (check,) = json.loads((folder / "head.json").read_text(encoding="utf-8"))["checks"]
    return {
        name: figure["value"] if figure["high"] is None else figure["high"] for name, figure in check["figures"].items()
    }


def value_of(line: str) -> str:
    match = re.search(r"'?([\d._]+ ?[A-Za-z]*)'?", line.partition(":")[2].replace("warn: 1 kB", ""))
    assert match is not None
    return match[1]


def test_only_the_values_change(here: Path) -> None:
    before = (here / "net.yaml").read_bytes().decode()
    (here / "net.yaml").chmod(0o640)
    done = edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", cwd=here)
    after = (here / "net.yaml").read_bytes().decode()
    assert done.code == 0, done.err
    assert (here / "net.yaml").stat().st_mode & 0o777 == 0o640
    changed = {
        before[a:b]: after[c:d]
        for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if kind != "equal"
    }
    assert all(re.fullmatch(r"[\d._ A-Za-z]*", text) for pair in changed.items() for text in pair), changed
    number = re.compile(r"(?<=[ '])\d[\d._]* ?(?:[kMG]i?B|s|ms|us)?(?=[ '},\t\r\n])")
    assert number.sub("#", before) == number.sub("#", after)
    for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
        assert old.count("#") == new.count("#")


def test_each_bound_is_what_was_found_and_the_headroom(here: Path) -> None:
    figures = found(here)
    done = edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", "--headroom", "10%", cwd=here)
    lines = dict(re.findall(r"^net\.yaml:\d+: (\S+): .* -> (.*) \(found .* room\)$", done.out, re.MULTILINE))
    for key, metric in (
        ("limits.download", "download"),
        ("limits.size", "size"),
        ("limits.params", "params"),
        ("devices.this-machine.latency_p50", "latency_p50"),
    ):
        bound = parse(lines[key].strip("'"), METRICS[metric].unit)
        assert figures[metric] * 1.1 <= bound <= figures[metric] * 1.1 * 1.01
    # One value, which an alias gives to two metrics: the worse of them counts.
    assert parse(lines["limits.ram_peak"].removeprefix("&ram "), METRICS["ram_peak"].unit) >= figures["ram_peak"] * 1.1
    assert "limits.ram_model" not in lines
    assert done.err.endswith("5 limits tightened.\n")
    assert re.search(r"footprint: a result is (fail|unknown) \(kept\)", done.err)


def test_once_tightened_it_holds_and_stays(here: Path) -> None:
    edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", "--headroom", "5%", cwd=here)
    tight = (here / "net.yaml").read_bytes()
    assert edgecheck("budget", "lint", "net.yaml", cwd=here).code == 0
    again = edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", cwd=here)
    assert (here / "net.yaml").read_bytes() == tight
    assert "the budget has changed since the check (kept)" in again.err
    assert again.err.endswith("0 limits tightened.\n")


def test_a_dry_run_shows_a_diff_and_writes_nothing(here: Path) -> None:
    before = (here / "net.yaml").read_bytes()
    done = edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", "--dry-run", cwd=here)
    assert (here / "net.yaml").read_bytes() == before
    assert done.out.startswith("--- net.yaml\n+++ net.yaml\n@@ ")
    assert """-    "download":  '900 MB'   # quoted, spaced\n""" in done.out
    assert re.search(r"""^\+    "download":  '[\d.]+ MB'   # quoted, spaced$""", done.out, re.MULTILINE)
    assert done.err.endswith("5 limits would be tightened.\n")


def test_a_warning_in_the_way_moves_by_the_same_factor(here: Path) -> None:
    size = found(here)["size"]
    assert size < 2_000_000
    text = (here / "net.yaml").read_bytes().decode().replace("warn: 1 kB", "warn: 60MB")
    (here / "net.yaml").write_bytes(text.encode())
    edgecheck("check", "net.yaml", "--format", "json=head.json", cwd=here)
    edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", cwd=here)
    written = re.search(r"size: {warn: ([\d.]+)MB, error: ([\d.]+)MB}", (here / "net.yaml").read_text(encoding="utf-8"))
    assert written
    assert size < float(written[1]) * 1e6 < 1.06 * size
    assert float(written[2]) / float(written[1]) == pytest.approx(100 / 60, rel=0.01)
    linted = edgecheck("budget", "lint", "net.yaml", cwd=here)
    assert "never warns" not in linted.out + linted.err
    assert edgecheck("check", "net.yaml", "--device", "this-machine", cwd=here).code in (0, 3)


def test_rules_on_growth_are_left_alone(here: Path) -> None:
    off = "ram_peak: off, latency_p50: off, footprint: off, download: off"
    (here / "growth.yaml").write_text(
        f"model: net.onnx\nlimits: {{size: 2 MB, {off}}}\nregression: {{size: 1%}}\ndevices: [pixel-8]\n",
        encoding="utf-8",
    )
    edgecheck("check", "growth.yaml", "--format", "json=base.json", cwd=here)
    edgecheck("check", "growth.yaml", "--baseline", "base.json", "--format", "json=new.json", cwd=here)
    done = edgecheck("budget", "ratchet", "growth.yaml", "--from", "new.json", cwd=here)
    assert (done.code, done.err) == (0, "1 limit tightened.\n")
    assert "regression: {size: 1%}" in (here / "growth.yaml").read_text(encoding="utf-8")


def test_results_of_other_budgets_change_nothing(here: Path) -> None:
    (here / "net.yaml").rename(here / "other.yaml")
    done = edgecheck("budget", "ratchet", "other.yaml", "--from", "head.json", cwd=here)
    assert (done.code, done.out, done.err) == (0, "", "0 limits tightened.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.yaml", "--from", "none.json"], "edgecheck: none.json could not be read: No such file or directory."),
        (["broken.yaml", "--from", "head.json"], "broken.yaml:2:1: is not YAML here"),
        (["--from", "head.json"], "edgecheck: There is nothing to tighten: name budgets."),
    ],
)
def test_wrong_usage_is_reported(arguments: list[str], message: str, here: Path) -> None:
    (here / "broken.yaml").write_text("a: [", encoding="utf-8")
    done = edgecheck("budget", "ratchet", *arguments, cwd=here)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)


def test_headroom_is_a_share(here: Path) -> None:
    done = edgecheck("budget", "ratchet", "net.yaml", "--from", "head.json", "--headroom", "5 MB", cwd=here)
    assert done.code == 2
    assert "unit 'MB' is not known" in done.err


@pytest.mark.parametrize(
    ("old", "value", "metric", "new"),
    [
        ("80 MiB", 61 * 2**20 * 1.05, "ram_peak", "64.1 MiB"),
        ("1MB", 123_456, "size", "0.124MB"),
        ("'50 ms'", 0.0123456, "latency_p50", "'12.4 ms'"),
        ("200_000_000", 12_345_678, "instructions", "12_400_000"),
        ("200e6", 12_345_678, "instructions", "12400000"),
        ("200M", 12_345_678, "instructions", "12.4M"),
        ("0.9", 0.98765, "agreement", "0.987"),
        ("90%", 0.98765, "agreement", "98.7%"),
        ("&a !!str '50 ms'", 0.0123456, "latency_p50", "&a !!str '12.4 ms'"),
        ("5 µs", 1.5e-6, "latency_p50", "1.5 µs"),
        ("1 GB", 0.0, "size", "0 GB"),
    ],
)
def test_a_value_is_written_as_the_old_one_was(old: str, value: float, metric: str, new: str) -> None:
    assert rewritten(old, value, METRICS[metric]) == new


def test_what_is_not_a_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a number with a unit"):
        rewritten("*ram", 1.0, METRICS["size"])


@settings(derandomize=True, deadline=None)
@given(
    st.floats(1e-9, 1e12), st.sampled_from(["size", "latency_p50", "agreement", "instructions"]), st.sampled_from("_ ")
)
def test_what_was_found_always_passes_the_new_bound(value: float, name: str, sign: str) -> None:
    metric = METRICS[name]
    old = {"size": "1 MB", "latency_p50": "1 ms", "agreement": "0.9", "instructions": f"1{sign.strip()}000"}[name]
    bound = parse(rewritten(old, value, metric), metric.unit)
    if metric.direction is Direction.AT_MOST:
        assert value * (1 - 1e-12) <= bound <= value * 1.011
    else:
        assert value * 0.989 <= bound <= value * (1 + 1e-12)
