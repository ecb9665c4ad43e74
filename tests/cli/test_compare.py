"""`edgecheck compare` and `check --baseline` on a real model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecheck.reports import Style, render
from edgecheck.reports.json_report import document
from edgecheck.reports.reading import read_report
from examples.real_models import fetch
from tests.cli.command import Done, edgecheck
from tests.reports.sample import SEEN, report, result

MEASURE = "measure: {min_count: 420, min_time: 50 ms, warmup_time: 10 ms}\n"


def write_budget(folder: Path, rules: str, limits: str = "size: 100 MB") -> None:
    text = f"model: net.onnx\n{MEASURE}regression:\n{rules}devices: {{this-machine: {{ram_peak: off, {limits}}}}}\n"
    (folder / "net.yaml").write_text(text, encoding="utf-8")


def check(folder: Path, *more: str) -> Done:
    return edgecheck("check", "net.yaml", "--format", "json=head.json", *more, cwd=folder)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    write_budget(tmp_path, "  size: 1%\n")
    return tmp_path


def grow(folder: Path, size: int) -> None:
    """By a longer description: field 6 of ONNX's ModelProto, of which the last holds."""
    with (folder / "net.onnx").open("ab") as model:
        model.write(b"\x32" + bytes([size % 128 + 128, size // 128]) + b"a" * size)


def test_nothing_grew(here: Path) -> None:
    assert check(here).code == 0
    (here / "head.json").rename(here / "main.json")
    done = check(here, "--baseline", "main.json")
    assert (done.code, done.err) == (0, "")
    assert "✔ pass  size vs baseline" in done.out
    assert "Every limit holds: 2 limits in 1 check." in done.out


def test_growth_is_reported_at_the_rule_and_only_by_as_much_as_it_is(here: Path) -> None:
    check(here)
    (here / "head.json").rename(here / "main.json")
    write_budget(here, "  size: 0.1%\n")
    grow(here, 8000)
    done = check(here, "--baseline", "main.json", "--format", "github=told")
    assert done.code == 1
    assert "size vs baseline: it grew by 0.5% from 1.56 MB; 0.1% is allowed" in done.out
    assert "net.yaml:4" in done.out
    assert (here / "told").read_text(encoding="utf-8").startswith("::error file=net.yaml,line=4,title=size vs baseline")
    write_budget(here, "  size: {growth: 0.1%, atleast: 10 kB}\n")
    assert check(here, "--baseline", "main.json").code == 0


def test_two_files_say_what_the_check_says(here: Path) -> None:
    check(here)
    (here / "head.json").rename(here / "main.json")
    grow(here, 8000)
    write_budget(here, "  size: 0.1%\n")
    check(here)
    done = edgecheck("compare", "main.json", "head.json", cwd=here)
    assert (done.code, done.err) == (1, "")
    assert "size vs baseline: it grew by 0.5% from 1.56 MB; 0.1% is allowed" in done.out
    assert "Of 1 limit in 1 check, 1 does not hold." in done.out
    same = edgecheck("compare", "head.json", "head.json", cwd=here)
    assert same.code == 0


def test_a_measured_latency_is_tested_on_its_samples(here: Path) -> None:
    """Base and head in one job, which is right for what a clock measured."""
    write_budget(here, "  latency_p50: {growth: 300%, atleast: 50 ms}\n", "latency_p50: 10 s")
    assert check(here).code == 0
    (here / "head.json").rename(here / "main.json")
    done = check(here, "--baseline", "main.json")
    assert (done.code, done.err) == (0, "")
    assert "✔ pass  latency_p50 vs baseline" in done.out
    slower = json.loads((here / "head.json").read_text(encoding="utf-8"))
    for worker in slower["checks"][0]["run"]["workers"]:
        worker["latencies"] = [latency * 20 for latency in worker["latencies"]]
    median = slower["checks"][0]["figures"]["latency_p50"]
    median.update({key: median[key] * 20 for key in ("value", "unwaited") if median.get(key)})
    (here / "slower.json").write_text(json.dumps(slower), encoding="utf-8")
    told = edgecheck("compare", "main.json", "slower.json", "--growth", "latency_p50=10%", cwd=here)
    assert told.code == 1
    assert "by a test with an error of 1%; 10% is allowed" in " ".join(told.out.split())


def damaged(**changes: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        whole = json.loads((folder / "main.json").read_text(encoding="utf-8"))
        for path, value in changes.items():
            inner: Any = whole
            *parts, last = path.split("__")
            for part in parts:
                inner = inner[int(part) if part.isdigit() else part]
            inner[last] = value
        (folder / "main.json").write_text(json.dumps(whole), encoding="utf-8")

    return write


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two results that are alike, of a check that ran."""
    write_budget(tmp_path, "  latency_p50: 10%\n  size: 1%\n")
    budget = replace(result(SEEN).budget, path="net.yaml")
    whole = report(replace(result(SEEN), budget=budget))
    for name in ("main.json", "head.json"):
        (tmp_path / name).write_text(render("json", whole, Style()), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        (damaged(host="Linux x86_64 other"), "machine: now Linux x86_64 ci, then Linux x86_64 other"),
        (
            damaged(checks__0__run__runtime__version="1.30.0"),
            "runtime: now onnxruntime 1.32.0, then onnxruntime 1.30.0",
        ),
        (
            damaged(checks__0__run__before__model="Raspberry Pi 5"),
            "board: now Raspberry Pi 4 Model B Rev 1.5, then Raspberry Pi 5",
        ),
    ],
)
def test_what_cannot_be_compared_is_reported_and_files_still_are(
    change: Callable[[Path], None], differ: str, pair: Path
) -> None:
    change(pair)
    done = edgecheck("compare", "main.json", "head.json", cwd=pair)
    assert (done.code, done.err) == (3, "")
    assert f"latency_p50 vs baseline: not comparable: {differ}" in " ".join(done.out.split())
    assert "✔ pass     size vs baseline" in done.out


def test_another_profile_is_not_a_baseline(pair: Path) -> None:
    damaged(checks__0__device="raspberry-pi-5")(pair)
    done = edgecheck("compare", "main.json", "head.json", cwd=pair)
    assert done.code == 3
    assert "no-baseline: The baseline has no check of this budget, model, variant and device." in done.out


def test_inherited_drift_is_reported_apart(pair: Path) -> None:
    whole = (pair / "head.json").read_text(encoding="utf-8")
    (pair / "origin.json").write_text(whole, encoding="utf-8")
    damaged(checks__0__figures__size__value=1_000_000)(pair)
    growth = ("--growth", "size=1%")
    assert edgecheck("compare", "main.json", "head.json", *growth, cwd=pair).code == 1
    done = edgecheck("compare", "main.json", "head.json", *growth, "--merge-base", "origin.json", cwd=pair)
    assert done.code == 0
    told = "inherited: it grew by 50.0% from 1.00 MB; 1% is allowed; this change adds no more than that"
    assert told in " ".join(done.out.split())
    strict = ("--merge-base", "origin.json", "--fail-on", "warn")
    assert edgecheck("compare", "main.json", "head.json", *growth, *strict, cwd=pair).code == 1


def test_a_comparison_is_a_report_too(pair: Path) -> None:
    damaged(checks__0__figures__size__value=1_000_000)(pair)
    done = edgecheck("compare", "main.json", "head.json", "--format", "json", cwd=pair)
    told = read_report(done.out, "told")
    assert document(told) == json.loads(done.out)
    assert [verdict.metric.name for verdict in told.verdicts] == ["size vs baseline", "latency_p50 vs baseline"]
    (pair / "told.json").write_text(done.out, encoding="utf-8")
    assert "size vs baseline" in edgecheck("report", "told.json", cwd=pair).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "main.json", "head.json"], "The budget net.yaml holds the regression rules and was not found."),
        (["compare", "main.json", "nothing.json"], "nothing.json could not be read: No such file or directory."),
        (["compare", "empty.json", "head.json"], "empty.json is empty."),
        (
            ["compare", "main.json", "head.json", "--growth", "sice=1%"],
            "--growth sice=1%: unknown metric 'sice'; did you mean size?",
        ),
        (["compare", "main.json", "head.json", "--growth", "size"], "--growth size has no value."),
        (
            ["compare", "main.json", "head.json", "--growth", "size=1%,2 ms"],
            "--growth size=1%,2 ms: unit 'ms' is not known; expected a size",
        ),
    ],
)
def test_wrong_usage_is_reported(arguments: list[str], message: str, pair: Path) -> None:
    (pair / "net.yaml").unlink()
    (pair / "empty.json").touch()
    done = edgecheck(*arguments, cwd=pair)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"edgecheck: {message}")


def test_a_baseline_is_read_before_anything_is_measured(here: Path) -> None:
    (here / "main.json").write_text('{"schema": "edgecheck-report", "version": 9}', encoding="utf-8")
    done = check(here, "--baseline", "main.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("edgecheck: main.json is a report of version 9; this edgecheck reads version 1.")
    assert not (here / "head.json").exists()


def test_a_baseline_takes_a_rule(here: Path) -> None:
    check(here)
    (here / "head.json").rename(here / "main.json")
    (here / "net.yaml").write_text("model: net.onnx\ndevices: {this-machine: {size: 3 MB}}\n", encoding="utf-8")
    done = check(here, "--baseline", "main.json")
    assert done.code == 2
    assert done.err.startswith("edgecheck: No budget says how much may grow from the baseline.")
    only = check(here, "--merge-base", "main.json")
    assert only.err.startswith("edgecheck: --merge-base also needs --baseline.")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("  size: 1 MB\n", "net.yaml:4:9: regression.size: unit 'MB' is not known; expected a number or a share"),
        ("  sice: 1%\n", "net.yaml:4:3: regression.sice: unknown key; did you mean size?"),
        ("  size: {atleast: 5}\n", "net.yaml:4:19: regression.size.atleast: 5 has no unit; expected a size"),
        (
            "  size: {on_unknown: warn}\n",
            "net.yaml:4:9: regression.size: sets no growth; expected growth, atleast or both",
        ),
        ("  size: {grow: 1%}\n", "net.yaml:4:10: regression.size.grow: unknown key; did you mean growth?"),
        ("  size: -1%\n", "net.yaml:4:9: regression.size: '-1%' is negative"),
        ("  size:\n", "net.yaml:4:8: regression.size: is empty"),
    ],
)
def test_a_wrong_rule_is_reported_at_its_place(rules: str, message: str, here: Path) -> None:
    write_budget(here, rules)
    done = edgecheck("budget", "lint", "net.yaml", cwd=here)
    assert done.code == 2
    assert done.out.startswith(message)


class TestAcross:
    """Two models, each with a budget and results of its own."""

    @pytest.fixture
    def results(self, tmp_path: Path) -> Path:
        for name, model in (("large", "mtcnn_onet.onnx"), ("small", "mtcnn_rnet.onnx")):
            (tmp_path / f"{name}.onnx").write_bytes(fetch(model).read_bytes())
            (tmp_path / f"{name}.yaml").write_text(
                f"model: {name}.onnx\nvariants: [as-is]\nregression: {{size: 0%}}\n"
                "devices: {pixel-8: {size: 9 MB, ram_peak: off, latency_p50: off, footprint: off}}\n",
                encoding="utf-8",
            )
            assert edgecheck("check", f"{name}.yaml", "--format", f"json={name}.json", cwd=tmp_path).code == 0
        return tmp_path

    def test_side_by_side(self, results: Path) -> None:
        done = edgecheck("compare", "large.json", "small.json", "--across", cwd=results)
        assert (done.code, done.err) == (0, "")
        assert "✔ pass  size vs baseline  403 kB  ≤ 1.56 MB  74% room" in done.out

    def test_the_other_way_round_it_grew(self, results: Path) -> None:
        done = edgecheck("compare", "small.json", "large.json", "--across", "--growth", "size=10%", cwd=results)
        assert done.code == 1
        assert "✘ fail  size vs baseline  1.56 MB  ≤ 444 kB  252% over" in done.out

    def test_without_it_they_have_nothing_in_common(self, results: Path) -> None:
        done = edgecheck("compare", "large.json", "small.json", cwd=results)
        assert done.code == 3
        assert "no-baseline" in done.out

    def test_what_cannot_be_paired_is_reported(self, results: Path) -> None:
        whole = json.loads((results / "small.json").read_text(encoding="utf-8"))
        (check,) = whole["checks"]
        whole["checks"] = [check | {"variant": "int8"}]
        (results / "other.json").write_text(json.dumps(whole), encoding="utf-8")
        done = edgecheck("compare", "large.json", "other.json", "--across", cwd=results)
        assert done.code == 2
        assert "BASE has: as-is on pixel-8." in done.err
        whole["checks"] = [check, check | {"model": "third.onnx"}]
        (results / "other.json").write_text(json.dumps(whole), encoding="utf-8")
        done = edgecheck("compare", "other.json", "small.json", "--across", cwd=results)
        assert done.code == 2
        assert "BASE has several models" in done.err


def test_a_head_without_any_check_is_not_a_pass(tmp_path: Path) -> None:
    (tmp_path / "main.json").write_text(render("json", report(result(SEEN))), encoding="utf-8")
    (tmp_path / "head.json").write_text(render("json", report()), encoding="utf-8")
    done = edgecheck("compare", "main.json", "head.json", "--growth", "size=1%", cwd=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert "HEAD has no check. The baseline has a check that this report lacks: net.onnx (as-is on" in done.err
