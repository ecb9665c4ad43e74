"""`edgecheck budget init` on a real model: what it writes, and where from.

Covers `config/first_files.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.config.first_files import first_budget
from edgecheck.core.budget import Model
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.metrics import METRICS
from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.cli.onnx_models import with_an_unknown_operator, with_open_dimensions
from tests.reports.sample import PC, SEEN, result


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for folder in ("models", "budgets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "models" / "a net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    return tmp_path


def test_what_it_writes(here: Path) -> None:
    """That such limits hold is in tests/cli/test_init.py, whose budget is written by the same code."""
    done = edgecheck("budget", "init", "models/a net.onnx", "--headroom", "100%", "-o", "budgets/net.yaml", cwd=here)
    assert (done.code, done.out) == (0, "")
    assert done.err == "Wrote budgets/net.yaml. Try it: edgecheck check budgets/net.yaml\n"
    text = (here / "budgets" / "net.yaml").read_text(encoding="utf-8")
    assert 'model: "../models/a net.onnx"\nvariants: [as-is]\ndevices:\n  this-machine:   # ' in text
    assert re.search(r"^    size: 3\.12 MB   # found 1\.56 MB; static; 100% room$", text, re.MULTILINE)
    assert re.search(r"^    ram_peak: [\d.]+ MiB   # found [\d.]+ MiB[^;]*; measured, highest of", text, re.MULTILINE)
    assert edgecheck("budget", "lint", "budgets", cwd=here).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "models/a net.onnx"], "edgecheck: models/a net.onnx already exists."),
        (["-o", "nowhere/net.yaml"], "edgecheck: The folder of nowhere/net.yaml does not exist."),
        (["--target", "moon"], "edgecheck: No target is called 'moon'."),
    ],
)
def test_wrong_usage_is_reported_before_anything_is_measured(arguments: list[str], message: str, here: Path) -> None:
    done = edgecheck("budget", "init", "models/a net.onnx", *arguments, cwd=here)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)


def test_what_another_machine_showed_sets_no_limit() -> None:
    text = first_budget(result(PC), Path(), 0.2, "2026-01-01")
    assert "    size: 1.8 MB   # found 1.50 MB; static; 20% room\n" in text
    assert "    # ram_peak: measured on Linux x86_64, not on a Raspberry Pi 4 Model B (2 GB)\n" in text


def test_what_was_not_measured_says_why() -> None:
    whole = result(SEEN)
    findings = {**(whole.findings or {}), "load_time": Unmeasured(METRICS["load_time"], "it\ncrashed")}
    named = replace(whole.budget, model=Model(Path("1e3")))
    text = first_budget(replace(whole, findings=findings, budget=named), Path(), 0.2, "2026-01-01")
    assert "    # load_time: it\N{REPLACEMENT CHARACTER}crashed\n" in text
    assert 'model: "1e3"\n' in text


def test_a_higher_percentile_is_never_limited_below_a_lower_one() -> None:
    whole = result(SEEN)
    p50, p90 = ((whole.findings or {})[name] for name in ("latency_p50", "latency_p90"))
    assert isinstance(p50, Measurement)
    assert isinstance(p90, Measurement)
    findings = {
        **(whole.findings or {}),
        "latency_p50": replace(p50, value=0.010, low=0.009, high=0.060, counts=None),
        "latency_p90": replace(p90, value=0.012, low=0.010, high=0.020, counts=None),
    }
    text = first_budget(replace(whole, findings=findings), Path(), 0.2, "2026-01-01")
    assert re.search(r"latency_p50: 72 ms   # found 10\.0 ms, between 9\.00 ms and 60\.0 ms; .*; 620% room\n", text)
    assert re.search(r"latency_p90: 72 ms   # found 12\.0 ms, between 10\.0 ms and 20\.0 ms; .*; 500% room\n", text)


def test_a_model_that_the_runtime_refuses_ends_with_1(here: Path) -> None:
    (here / "models" / "odd.onnx").write_bytes(with_an_unknown_operator())
    done = edgecheck("budget", "init", "models/odd.onnx", cwd=here)
    assert done.code == 1
    assert "edgecheck: The model does not run there: refused by the runtime" in done.err
    assert "    size: " in done.out


def test_what_the_options_say_is_written_to_stdout_and_holds_in_the_budget(here: Path) -> None:
    (here / "models" / "an open.onnx").write_bytes(with_open_dimensions())
    shapes = ("--input", "x=1,5", "--threads", "2", "--bundle", "system")
    done = edgecheck("budget", "init", "models/an open.onnx", *shapes, "--headroom", "100%", cwd=here)
    assert (done.code, done.err) == (0, "")
    assert 'model: "models/an open.onnx"\n' in done.out
    assert "# found " in done.out
    assert 'inputs: {"x": [1, 5]}\nthreads: 2\nbundle: system\n' in done.out
    (here / "b.yaml").write_text(done.out, encoding="utf-8")
    assert edgecheck("budget", "lint", "b.yaml", cwd=here).code == 0
