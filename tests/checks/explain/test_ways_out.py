"""What a failing limit says could be done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks.explain.ways_out import ways_out
from edgecheck.core.artifact import Artifact
from edgecheck.core.finding import Evidence
from edgecheck.core.measurement import measure
from edgecheck.core.report import Part, WayOut
from edgecheck.core.run import Activity, Ending, Outcome, Phase, Purpose, Run, WorkerRun
from edgecheck.core.verdict import Verdict, judge
from edgecheck.reports import Style, render
from edgecheck.reports.reading import read_report
from examples.real_models import fetch
from tests.builders import ARTIFACT, MIB, limit, mark, run
from tests.cli.command import edgecheck
from tests.reports.sample import SEEN, report, result

ONET = fetch("mtcnn_onet.onnx")
LANDMARK = fetch("face_landmark.tflite")


def artifact(path: Path, download: int = 1_448_000) -> Artifact:
    size = path.stat().st_size
    return replace(ARTIFACT, path=path, files=(path,), size=size, download=download, format=path.suffix[1:])


def memory_run(ready: int, loaded: int, peak: int) -> Run:
    marks = (
        mark(Phase.START, 8 * MIB),
        mark(Phase.RUNTIME_READY, ready, ready),
        mark(Phase.MODEL_LOADED, loaded, loaded),
        mark(Phase.STEADY, peak, peak),
    )
    return run(WorkerRun(purpose=Purpose.MEMORY, marks=marks))


def explained(evidence: Evidence, **bounds: float) -> tuple[WayOut, ...]:
    def verdict(metric: str, bound: float) -> Verdict:
        wanted = limit(metric, bound)
        return judge(wanted, measure(wanted.metric, evidence))

    return ways_out([verdict(metric, bound) for metric, bound in bounds.items()], evidence)


def test_limits_that_hold_are_not_explained() -> None:
    assert explained(Evidence(artifact=artifact(ONET)), size=2e6, download=2e6) == ()
    assert explained(Evidence(artifact=artifact(ONET)), params=10) == ()


def test_a_size_shows_layers_and_which_saving_would_be_enough() -> None:
    (found,) = explained(Evidence(artifact=artifact(ONET)), size=500_000)
    assert found.metrics == ("size",)
    assert found.parts[0] == Part("dense_3", 1_180_672, "76 % of the file, float32 1152 x 256")
    assert sum(part.size for part in found.parts) == ONET.stat().st_size
    enough = {part.name: part.words.partition(". ")[0] for part in found.savings}
    assert enough == {"int8": "size 408 kB, which would hold", "float16": "size 781 kB, still over"}


def test_a_download_weighs_pruning_and_never_gzip_which_it_has() -> None:
    (found,) = explained(Evidence(artifact=artifact(ONET)), download=1_000_000)
    assert [part.name for part in found.savings] == ["prune"]
    assert "which would hold." in found.savings[0].words


def test_a_footprint_shows_its_runtime_first() -> None:
    (found,) = explained(Evidence(artifact=artifact(ONET), runtime_size=60_000_000), footprint=50_000_000)
    assert found.parts[0] == Part("runtime", 60_000_000, "the unpacked runtime that is deployed with the model")
    assert found.savings[0].words.startswith("footprint 60.4 MB, still over. ")


def test_a_peak_is_split_into_its_phases() -> None:
    seen = memory_run(40 * MIB, 48 * MIB, 52 * MIB)
    (found,) = explained(Evidence(artifact=artifact(LANDMARK), run=seen), ram_peak=50 * MIB)
    assert [(part.name, part.size) for part in found.parts] == [
        ("runtime", 40 * MIB),
        ("loading", 8 * MIB),
        ("inference", 4 * MIB),
    ]
    assert found.parts[1].words == "the model; its weights take 2.31 MiB when dense"
    assert "1.69 MiB of activations by their shapes, the most at CONV_2D" in found.parts[2].words
    assert found.notes == ()
    assert [part.name for part in found.savings] == ["int8"]


def test_a_runtime_that_exceeds_the_limit_by_itself_is_reported() -> None:
    seen = memory_run(40 * MIB, 48 * MIB, 52 * MIB)
    (found,) = explained(Evidence(artifact=artifact(LANDMARK), run=seen), ram_peak=30 * MIB, ram_model=1 * MIB)
    assert found.metrics == ("ram_peak", "ram_model")
    assert found.notes == ("The runtime alone takes 40.0 MiB: no model holds a limit of 30.0 MiB with it.",)


def test_activations_without_shapes_are_reported_as_not_counted() -> None:
    seen = memory_run(40 * MIB, 48 * MIB, 52 * MIB)
    (found,) = explained(Evidence(artifact=artifact(ONET), run=seen), ram_peak=50 * MIB)
    assert found.parts[2].words == "up to the peak"
    assert found.notes == ("Activations are not counted: the file does not say the shapes of what it computes.",)


def test_a_process_that_died_while_loading_shows_how_far_it_got() -> None:
    marks = (mark(Phase.START, 8 * MIB), mark(Phase.RUNTIME_READY, 40 * MIB, 40 * MIB))
    dead = WorkerRun(purpose=Purpose.MEMORY, marks=marks, samples=((1.0, 70 * MIB),))
    verdict = judge(
        limit("ram_peak", 60 * MIB),
        measure(limit("ram_peak").metric, Evidence(artifact=artifact(LANDMARK), run=run(dead))),
    )
    (found,) = ways_out([verdict], Evidence(artifact=artifact(LANDMARK), run=run(dead)))
    assert [(part.name, part.size) for part in found.parts] == [("runtime", 40 * MIB), ("loading", 30 * MIB)]


def test_a_model_that_the_runtime_refused_has_no_bytes_to_explain() -> None:
    marks = (mark(Phase.START, 8 * MIB), mark(Phase.RUNTIME_READY, 40 * MIB, 40 * MIB))
    ending = Ending(outcome=Outcome.REFUSED, during=Activity.LOAD, reason="unsupported-operator", message="no Blur")
    refused = WorkerRun(purpose=Purpose.MEMORY, marks=marks, ending=ending)
    assert explained(Evidence(artifact=artifact(LANDMARK), run=run(refused)), ram_peak=60 * MIB) == ()


def test_an_artifact_that_is_gone_explains_nothing(tmp_path: Path) -> None:
    gone = replace(artifact(ONET), path=tmp_path / "gone.onnx")
    assert explained(Evidence(artifact=gone), size=1) == ()


FOUND = WayOut(
    metrics=("size",),
    parts=(Part("dense\x1b[2J", 1_180_672, "76 % of the file"), Part("(15 others)", 15_300)),
    savings=(Part("int8", 1_152_000, "size 408 kB, which would hold."),),
    notes=("A note.",),
)


@pytest.mark.parametrize("width", [60, 110])
def test_the_terminal_shows_it(width: int) -> None:
    text = render("terminal", report(replace(result(SEEN), ways_out=(FOUND,))), Style(width=width))
    assert (
        "  where the bytes of size are\n"
        "    1.18 MB  dense�[2J    76 % of the file\n"
        "    15.3 kB  (15 others)\n"
        "  what would help\n"
        "    1.15 MB  int8      size 408 kB, which would hold.\n"
        "  A note.\n"
    ) in text


def test_json_keeps_it_and_is_read_back() -> None:
    text = render("json", report(replace(result(SEEN), ways_out=(FOUND,))), Style())
    assert json.loads(text)["checks"][0]["ways_out"][0]["parts"][1] == {
        "name": "(15 others)",
        "size": 15300,
        "words": "",
    }
    assert read_report(text, "report.json").results[0].ways_out == (FOUND,)


def test_check_explains_itself_and_counts_weights(tmp_path: Path) -> None:
    done = edgecheck(
        "check", ONET, "--limit", "size=500kB", "--limit", "params=389_040", "--format", "json", cwd=tmp_path
    )
    assert done.code == 1, done.err
    (check,) = json.loads(done.out)["checks"]
    assert check["artifact"]["params"] == 389_040
    assert check["artifact"]["arithmetic"] == "float"
    assert [verdict["status"] for verdict in check["verdicts"] if verdict["metric"] == "params"] == ["pass"]
    assert [each["metrics"] for each in check["ways_out"]] == [["size"]]


def test_check_knows_integer_arithmetic(tmp_path: Path) -> None:
    path = fetch("emotion_quantized.tflite")
    done = edgecheck("check", path, "--limit", "size=1MB", "--format", "json", cwd=tmp_path)
    assert json.loads(done.out)["checks"][0]["artifact"]["arithmetic"] == "int8"
