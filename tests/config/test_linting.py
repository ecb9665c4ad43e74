"""`lint`: problems without a run, and `doubts` about valid limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.config import Findings, doubts, lint
from edgecheck.converters import samples

Write = Callable[[str, str], Path]
BOARD = (Path(__file__).parent / "board.yaml").read_text(encoding="utf-8")


def look(*paths: str) -> Findings:
    return lint([Path(path) for path in paths])


def texts(findings: Findings) -> tuple[list[str], list[str]]:
    return [str(problem) for problem in findings.problems], [str(warning) for warning in findings.warnings]


@pytest.mark.parametrize(
    ("limit", "warning"),
    [
        ("size: 13 GB", "size: can never fail on board: 13.0 GB is more than its free storage, 12.0 GB"),
        ("footprint: {warn: 13 GB}",
         "footprint: can never fail on board: 13.0 GB is more than its free storage, 12.0 GB"),
        ("ram_peak: 3 GiB", "ram_peak: is too high for board: 3.00 GiB is more than its free RAM, 1.82 GiB"),
        ("ram_model: {warn: 1 GiB, error: 3 GiB}",
         "ram_model: is too high for board: 3.00 GiB is more than its free RAM, 1.82 GiB"),
        ("latency_p50: {warn: 60 ms, error: 50 ms}",
         "latency_p50: never warns: warn, 60.0 ms, is not stricter than error, 50.0 ms"),
        ("latency_p50: {warn: 50 ms, error: 50 ms}",
         "latency_p50: never warns: warn, 50.0 ms, is not stricter than error, 50.0 ms"),
        ("agreement: {warn: 0.9, error: 0.99}",
         "agreement: never warns: warn, 0.9, is not stricter than error, 0.99"),
        ("top1: 0", "top1: can never fail: every value is at least 0"),
        ("latency_p90: {error: 50 ms, projected: point}",
         "latency_p90: `projected:` has no effect: only latency_p50 is projected"),
        ("ram_model: {warn: 4 KiB, error: 1 MiB}",
         "ram_model: 4.00 KiB is tighter than can be measured: the kernel counts memory in steps of 256 KiB"),
        ("latency_p50: 10 ns",
         "latency_p50: 10.0 ns is tighter than can be measured: reading the clock takes about 100 ns"),
        ("agreement: 1",
         "agreement: 1 is tighter than can be measured: outputs in float32 are rounded"),
        ("latency_p99: 100 ms",
         "latency_p99: may never be decided: 529 inferences at 100 ms each take 52.9 s, but max_time is 30.0 s"),
    ],
)  # fmt: skip
def test_a_doubtful_limit_is_warned_of_where_it_is_written(write: Write, limit: str, warning: str) -> None:
    write("device_profiles/board.yaml", BOARD)
    write("shared.yaml", f"model: net.tflite\nlimits: {{{limit}}}\ndevices: [board]\n")
    write("own.yaml", f"model: net.tflite\ndevices: {{board: {{{limit}}}}}\n")
    write("device_profiles/other.yaml", f"extends: board\nlimits: {{{limit}}}\n")
    assert texts(look("shared.yaml")) == ([], [f"shared.yaml:2:10: limits.{warning}"])
    assert texts(look("own.yaml")) == ([], [f"own.yaml:2:19: devices.board.{warning}"])
    assert texts(look("device_profiles/other.yaml")) == (
        [],
        [f"device_profiles/other.yaml:2:10: limits.{warning}".replace("board", "other")],
    )


LISTED = BOARD + (
    "accelerators: [{provider: cuda, library: libcudart.so.12, source: apt, precision: [fp32]},"
    " {provider: openvino, library: libopenvino.so.2540, source: wheel, precision: [fp16]}]\n"
)


@pytest.mark.parametrize(
    ("asked", "warning"),
    [
        ("cuda", ""),
        ("xnnpack", ""),
        ("/usr/lib/libvx_delegate.so", ""),
        ("tensorrt", "the profile of board does not list tensorrt among its accelerators (cuda, openvino)"),
        ("{provider: openvino, precision: fp16}", ""),
        ("{provider: openvino, precision: accuracy}", ""),
        ("{provider: openvino, precision: fp32}", "openvino of board computes in fp16, not in fp32"),
    ],
)
def test_an_accelerator_that_the_profile_does_not_list_is_warned_of(write: Write, asked: str, warning: str) -> None:
    write("net.onnx", "")
    write("device_profiles/board.yaml", LISTED)
    write("net.yaml", f"model: net.onnx\nlimits: {{size: 1 MB}}\naccelerator: {asked}\ndevices: [board]\n")
    assert texts(look("net.yaml")) == ([], [f"net.yaml:3:14: accelerator: {warning}"] if warning else [])


@pytest.mark.parametrize("limit", ["ram_accelerator: 200 MiB", "offloaded: 95%"])
def test_a_limit_on_an_accelerator_that_nobody_asks_for_is_warned_of(write: Write, limit: str) -> None:
    write("net.onnx", "")
    write("device_profiles/board.yaml", BOARD)
    write("net.yaml", f"model: net.onnx\nlimits: {{{limit}}}\ndevices: [board]\n")
    name = limit.partition(":")[0]
    expected = f"net.yaml:2:10: limits.{name}: is never measured: the budget has no `accelerator:`"
    assert texts(look("net.yaml")) == ([], [expected])


def test_a_budget_that_measures_longer_can_decide(write: Write) -> None:
    write("device_profiles/board.yaml", BOARD)
    limits = "limits: {latency_p99: 100 ms}\ndevices: [board]\n"
    write("b.yaml", f"model: net.tflite\nmeasure: {{max_time: 60 s}}\n{limits}")
    assert texts(look("b.yaml")) == ([], [])


def test_a_share_of_few_samples(write: Write) -> None:
    write("device_profiles/board.yaml", BOARD)
    write("b.yaml", "model: net.tflite\nlimits: {top1: 0.99}\ndevices: [board]\n")
    write("c.yaml", "model: net.tflite\nsamples: s.npz\nlimits: {top1: 0.99}\ndevices: [board]\n")
    write("s.npz", "")
    assert texts(look("b.yaml")) == (
        [],
        ["b.yaml:2:10: limits.top1: 0.99 is tighter than can be measured: all 16 generated samples must agree"],
    )
    assert texts(look("c.yaml")) == ([], [])
    assert doubts.SEEDED == samples.SEEDED


def test_rules_on_growth_below_what_differs_from_run_to_run(write: Write) -> None:
    write("device_profiles/board.yaml", BOARD)
    write("device_profiles/emulated.yaml", f"{BOARD}emulation: {{cpu: cortex-a72}}\n")
    rules = "regression: {size: 0%, instructions: 0.01%, ram_peak: 1%, ram_model: {growth: 1%, atleast: 1 MiB}}\n"
    for device in ("board", "emulated"):
        write(f"{device}.yaml", f"model: net.tflite\nlimits: {{size: 1 MB}}\n{rules}devices: [{device}]\n")
    counts = "regression.instructions: 0.01% is tighter than can be measured: two counts differ by up to 0.1%"
    assert texts(look("board.yaml")) == (
        [],
        [
            f"board.yaml:3:24: {counts}",
            "board.yaml:3:45: regression.ram_peak: 1% is tighter than can be measured: fresh processes differ by 5%",
        ],
    )
    assert texts(look("emulated.yaml")) == ([], [f"emulated.yaml:3:24: {counts}"])


def test_limits_that_make_sense_are_left_alone(write: Write) -> None:
    write("device_profiles/board.yaml", BOARD)
    write(
        "b.yaml",
        "model: net.tflite\n"
        "limits: {size: 12 GB, ram_peak: {warn: 1 GiB, error: 1.5 GiB}, agreement: {warn: 0.99, error: 0.9},\n"
        "         latency_p50: {error: 50 ms, projected: point}, top1: {warn: 0.9}}\n"
        "devices: [board]\n",
    )
    assert look("b.yaml", "device_profiles") == Findings(2, (), ())


def test_a_profile_should_limit_ram_storage_and_latency(write: Write) -> None:
    write(
        "device_profiles/board.yaml",
        BOARD.replace("{size: 1 MB, footprint: 500 MB, ram_peak: 1 MiB, latency_p50: 10 ms}", "{}"),
    )
    assert texts(look("device_profiles")) == (
        [],
        [
            "device_profiles/board.yaml:8:9: limits: no limit on RAM: add ram_peak or ram_model",
            "device_profiles/board.yaml:8:9: limits: no limit on latency: add latency_p50 or another percentile",
            "device_profiles/board.yaml:8:9: limits: no limit on storage: add footprint, size or download",
        ],
    )


def test_a_model_that_is_not_there_is_not_a_problem_of_the_file(write: Write) -> None:
    write("b.yaml", "model: none.onnx\ndevices: [pixel-8]\n")
    assert texts(look("b.yaml")) == (
        [],
        ["b.yaml:1:8: model: none.onnx does not exist (paths are relative to the budget's folder)"],
    )


def test_all_kinds_of_file_are_looked_at_together(write: Write, here: Path) -> None:
    write("edgecheck.yaml", "targets: {board: local, bord: local, this-machine: local}\n")
    write("all/budgets/b.yaml", "model: net.onnx\nthreads: 0\ndevices: [board]\n")
    write("all/boards/family.yaml", "family: true\n" + BOARD.replace("1 MB", "1 mb"))
    write("all/boards/board.yaml", "extends: family\nname: 3\n")
    write("all/boards/this-machine.yaml", BOARD)
    write("all/boards/broken.yaml", "\t")
    (here / "none").mkdir()
    findings = look("edgecheck.yaml", "all", "none")
    assert findings.files == 6
    assert texts(findings) == (
        [
            (
                'all/boards/board.yaml:2:7: name: found 3, which YAML reads as a number (it is text in quotes: "3"); '
                "expected text on one line"
            ),
            "all/boards/broken.yaml:1:1: found a tab; YAML takes spaces to indent",
            "all/boards/family.yaml:9:16: limits.size: unit 'mb' is not known; did you mean MB?",
            "all/boards/this-machine.yaml: is never read: this-machine is generated; give the file another name",
            "all/budgets/b.yaml:2:10: threads: found 0; expected a whole number from 1 to 1,024",
            "edgecheck.yaml:1:31: targets.bord: there is no device 'bord'; did you mean board?",
            "none: the folder has no .yaml file",
        ],
        [
            (
                "all/budgets/b.yaml:1:8: model: "
                "all/budgets/net.onnx does not exist (paths are relative to the budget's folder)"
            )
        ],
    )


def test_a_project_with_problems_is_reported(write: Write) -> None:
    write("edgecheck.yaml", "target: {}\n")
    assert texts(look("edgecheck.yaml")) == (
        ["edgecheck.yaml:1:1: target: unknown key; did you mean targets?"],
        [],
    )


def test_a_file_without_any_known_key_is_taken_for_a_budget(write: Write) -> None:
    write("b.yaml", "[1]\n")
    assert texts(look("b.yaml"))[0] == [
        "b.yaml:1:1: found a list; expected a mapping with the keys model, trusted, format and so on"
    ]


def test_two_profiles_with_one_name_are_each_looked_at(write: Write) -> None:
    write("one/board.yaml", BOARD.replace("1 MB", "1 mb"))
    write("two/board.yaml", BOARD.replace("1 MB", "1 kb"))
    assert texts(look("one", "two"))[0] == [
        "one/board.yaml:8:16: limits.size: unit 'mb' is not known; did you mean MB?",
        "two/board.yaml:8:16: limits.size: unit 'kb' is not known; did you mean kB?",
    ]


def test_what_this_repository_ships_gives_no_finding_but_models_not_yet_fetched(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    findings = lint([Path("budgets"), Path("device_profiles")])
    assert findings.problems == ()
    assert [str(text) for text in findings.warnings if "examples/models/" not in str(text)] == []
