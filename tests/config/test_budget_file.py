"""Budgets: what a file means, and every problem of every file at once, at its place (`budget_model`, `limit_model`).

Covers `problems.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.config import Profiles, lint, load_budgets
from edgecheck.config.problems import BUDGET, BUDGET_HINT
from edgecheck.core.accelerator import Accelerator
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.limits import Limit, OnUnknown, Source
from edgecheck.core.metrics import METRICS
from edgecheck.errors import ConfigError

Write = Callable[[str, str], Path]
PI = "devices: {raspberry-pi-4-2gb: }\n"
SIZE = "expected a size with its unit, such as 80 MiB or 1.5 MB"
TIME = "expected a duration with its unit, such as 50 ms or 1.5 s"
COUNT = "expected a number, such as 200_000_000 or 200e6"
SHA = "0123456789abcdef" * 4
NAMES = "one of as-is, float32, float16, int8-dynamic, int8-weights, int8"


def load(*paths: str) -> tuple[Budget, ...]:
    return load_budgets([Path(path) for path in paths], profiles=Profiles())


def problems(*paths: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*paths)
    assert caught.value.hint == BUDGET_HINT
    assert caught.value.exit_code == 2
    return list(caught.value.problems)


def test_every_key_reaches_the_value_it_stands_for(write: Write) -> None:
    write("weights/net.pth", "")
    write("samples/faces.npz", "")
    write(
        "budgets/doorbell.yaml",
        f"""\
model: {{factory: "nets.face:build", weights: ../weights/net.pth, trusted: "sha256:{SHA}"}}
format: tflite
samples: ../samples/faces.npz
inputs: {{image: [1, 128, 128, 3], "other input:0": [1]}}
variants: [float32, int8, {{variant: int8, prune: 50%}}]
threads: 2
bundle: system
measure: {{warmup_count: 3, warmup_time: 2 s, min_count: 100, min_time: 5 s, max_time: 1 min, deadline: 20 min}}
limits: {{size: 1 MB}}
devices: {{raspberry-pi-4-2gb: {{latency_p50: 50 ms}}}}
""",
    )
    (budget,) = load("budgets/doorbell.yaml")
    assert budget.name == "doorbell"
    assert budget.path == "budgets/doorbell.yaml"
    assert budget.model == Model(Path("weights/net.pth"), "nets.face:build", f"sha256:{SHA}")
    assert budget.format == "tflite"
    assert budget.samples == Path("samples/faces.npz")
    assert budget.inputs == {"image": (1, 128, 128, 3), "other input:0": (1,)}
    assert budget.variants == (Variant("float32"), Variant("int8"), Variant("int8", 0.5))
    assert budget.threads == 2
    assert budget.bundle == "system"
    assert budget.effort == Effort(
        warmup_count=3, warmup_time=2.0, min_count=100, min_time=5.0, max_time=60.0, deadline=1200.0
    )
    assert [profile.id for profile, _ in budget.devices] == ["raspberry-pi-4-2gb"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("cpu", None),
        ("openvino", Accelerator("openvino")),
        ("{provider: tensorrt, precision: fp16}", Accelerator("tensorrt", "fp16")),
        ("{provider: cpu}", None),
        ("/usr/lib/libvx_delegate.so", Accelerator("/usr/lib/libvx_delegate.so")),
    ],
)
def test_accelerators(write: Write, written: str, expected: Accelerator | None) -> None:
    write("b.yaml", f"model: net.tflite\naccelerator: {written}\n{PI}")
    assert load("b.yaml")[0].accelerator == expected


def test_what_is_left_out_or_left_empty_has_its_default(write: Write) -> None:
    write("b.yaml", f"model: net.tflite\nsamples:\nlimits:\nvariants:\nmeasure:\ninputs:\n{PI}")
    (budget,) = load("b.yaml")
    ((profile, limits),) = budget.devices
    assert budget == Budget(
        name="b",
        path="b.yaml",
        model=Model(Path("net.tflite")),
        variants=(Variant("as-is"),),
        format="",
        samples=None,
        inputs={},
        threads=1,
        effort=Effort(),
        devices=((profile, limits),),
    )
    assert limits == profile.limits


@pytest.mark.parametrize(
    ("model", "variants", "expected"),
    [
        ("net.onnx", "", (Variant("as-is"),)),
        ("net.keras", "", (Variant("float32"),)),
        ("net.keras", "variants: auto\n", ()),
        ("net.keras", "variants: [int8-dynamic]\n", (Variant("int8-dynamic"),)),
        ("{factory: 'a:b', weights: net.onnx}", "", (Variant("float32"),)),
    ],
)
def test_variants_default_by_what_the_model_is(
    write: Write, model: str, variants: str, expected: tuple[Variant, ...]
) -> None:
    write("net.onnx", "")
    write("net.keras", "")
    write("b.yaml", f"model: {model}\n{variants}{PI}")
    assert load("b.yaml")[0].variants == expected


def test_a_limit_has_its_levels_and_says_where_it_is_written(write: Write) -> None:
    write(
        "b.yaml",
        """\
model: net.tflite
limits:
  size: 1 MB
  ram_peak: {warn: 80 MiB, error: 120 MiB}
  ram_model: {warn: 10 MiB}
  latency_p50: {error: 50 ms, on_unknown: warn, projected: point}
  instructions: 200e6
  agreement: 99%
  footprint: off
  latency_p90: false
devices:
  raspberry-pi-4-2gb:
""",
    )
    (budget,) = load("b.yaml")
    ((_, limits),) = budget.devices

    def at(line: int) -> Source:
        return Source("budget", "b.yaml", line)

    assert limits == (
        Limit(metric=METRICS["size"], error=1e6, source=at(3)),
        Limit(metric=METRICS["ram_peak"], error=120 * 2**20, source=at(4), warn=80 * 2**20),
        Limit(metric=METRICS["ram_model"], error=None, source=at(5), warn=10 * 2**20),
        Limit(metric=METRICS["latency_p50"], error=0.05, source=at(6), on_unknown=OnUnknown.WARN, projected_point=True),
        Limit(metric=METRICS["instructions"], error=2e8, source=at(7)),
        Limit(metric=METRICS["agreement"], error=0.99, source=at(8)),
    )


def test_of_one_metric_the_nearest_limit_holds(write: Write) -> None:
    write(
        "device_profiles/board.yaml",
        (Path(__file__).parent / "board.yaml").read_text(encoding="utf-8"),
    )
    write(
        "b.yaml",
        """\
model: net.tflite
limits: {ram_peak: 2 MiB, latency_p50: 20 ms}
devices:
  board: {latency_p50: 30 ms, size: off, footprint: off}
""",
    )
    ((_, limits),) = load("b.yaml")[0].devices
    assert [(limit.metric.name, limit.error, str(limit.source)) for limit in limits] == [
        ("ram_peak", 2 * 2**20, "b.yaml:2"),
        ("latency_p50", 0.03, "b.yaml:4"),
    ]


def test_devices_may_be_a_plain_list(write: Write) -> None:
    write("b.yaml", "model: net.tflite\nlimits: {size: 1 MB}\ndevices: [pixel-8, this-machine]\n")
    (budget,) = load("b.yaml")
    assert [profile.id for profile, _ in budget.devices] == ["pixel-8", "this-machine"]
    assert [limits[0].error for _, limits in budget.devices] == [1e6, 1e6]


def test_anchors_save_repetition(write: Write) -> None:
    write(
        "b.yaml",
        """\
model: net.tflite
devices:
  pixel-8: &phone {size: 1 MB, latency_p50: 20 ms}
  pixel-7: *phone
  pixel-6a: {<<: *phone, latency_p50: 40 ms}
""",
    )
    bounds = [
        {limit.metric.name: (limit.error, limit.source.line) for limit in limits}
        for _, limits in load("b.yaml")[0].devices
    ]
    assert [(bound["size"], bound["latency_p50"]) for bound in bounds] == [
        ((1e6, 3), (0.02, 3)),
        ((1e6, 3), (0.02, 3)),
        ((1e6, 3), (0.04, 5)),
    ]


@pytest.mark.parametrize(
    ("measure", "effort"),
    [
        ("{max_time: 500 ms}", Effort(max_time=0.5)),
        ("{max_time: 10 min}", Effort(max_time=600, deadline=2400)),
        ("{min_time: 2 s}", Effort(min_time=2)),
        ("{min_time: 1 min}", Effort(min_time=60, max_time=120)),
        ("{min_time: 10 min}", Effort(min_time=600, max_time=1200, deadline=4800)),
        ("{deadline: 1 min}", Effort(deadline=60)),
    ],
)
def test_what_measure_leaves_out_fits_itself_to_what_it_says(write: Write, measure: str, effort: Effort) -> None:
    write("b.yaml", f"model: net.tflite\nmeasure: {measure}\n{PI}")
    assert load("b.yaml")[0].effort == effort


def test_a_folder_stands_for_the_files_below_it_by_name_without_hidden_ones(write: Write) -> None:
    for name in (
        "budgets/b.yaml",
        "budgets/a.yml",
        "budgets/sub/c.yaml",
        "budgets/.hidden.yaml",
        "budgets/.git/d.yaml",
    ):
        write(name, f"model: {os.path.relpath('net.tflite', Path(name).parent)}\n{PI}")
    write("budgets/notes.txt", "no YAML: at all:")
    (Path("budgets") / "folder.yaml").mkdir()
    assert [budget.path for budget in load("budgets")] == ["budgets/a.yml", "budgets/b.yaml", "budgets/sub/c.yaml"]


def test_a_file_that_is_named_twice_is_read_once(write: Write) -> None:
    write("budgets/b.yaml", f"model: ../net.tflite\n{PI}")
    assert [budget.path for budget in load("budgets/b.yaml", "budgets", "./budgets/b.yaml")] == ["budgets/b.yaml"]


def test_no_path_is_not_a_budget() -> None:
    assert load() == ()


def test_the_path_of_the_model_keeps_its_meaning_through_a_symbolic_link(here: Path, write: Write) -> None:
    write("elsewhere/budgets/b.yaml", f"model: ../net.onnx\n{PI}")
    write("elsewhere/net.onnx", "")
    (here / "link").symlink_to(here / "elsewhere" / "budgets")
    (budget,) = load("link/b.yaml")
    assert budget.model.path == Path("link/../net.onnx")
    assert (here / budget.model.path).exists()


def test_a_model_may_be_a_folder(here: Path, write: Write) -> None:
    (here / "saved_model").mkdir()
    write("b.yaml", f"model: saved_model\n{PI}")
    assert load("b.yaml")[0].model == Model(Path("saved_model"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # sizes, durations, counts
        ("limits: {size: 12}", f"2:16: limits.size: 12 has no unit; {SIZE}"),
        ("limits: {size: '12'}", f"2:16: limits.size: '12' has no unit; {SIZE}"),
        ("limits: {size: 12 mb}", "2:16: limits.size: unit 'mb' is not known; did you mean MB?"),
        ("limits: {size: -1 MB}", f"2:16: limits.size: '-1 MB' is negative; {SIZE}"),
        ("limits: {size: nan}", f"2:16: limits.size: found 'nan'; {SIZE}"),
        ("limits: {instructions: .nan}", f"2:24: limits.instructions: nan is not a finite number; {COUNT}"),
        ("limits: {size: 1e400 MB}", f"2:16: limits.size: '1e400 MB' is not a finite number; {SIZE}"),
        ("limits: {instructions: 1e400}", f"2:24: limits.instructions: '1e400' is not a finite number; {COUNT}"),
        ("limits: {latency_p50: 1:30}", f"2:23: limits.latency_p50: found '1:30'; {TIME}"),
        ("limits: {latency_p50: 010}",
         ('2:23: limits.latency_p50: 010 starts with a zero, which some YAML readers take for octal; '
         'write 10, or "010" where text is meant')),
        ("limits: {latency_p50: }", f"2:23: limits.latency_p50: is empty; {TIME}"),
        ("limits: {latency_p50: on}", f"2:23: limits.latency_p50: found 'on'; {TIME}"),
        ("limits: {latency_p50: no}", f"2:23: limits.latency_p50: found 'no'; {TIME}"),
        ("limits: {latency_p50: true}", f"2:23: limits.latency_p50: found true; {TIME}"),
        ("limits: {latency_p50: [50 ms]}", f"2:23: limits.latency_p50: found a list; {TIME}"),
        ("limits: {latency_p50: 2024-01-01}", f"2:23: limits.latency_p50: found '2024-01-01'; {TIME}"),
        ("limits: {agreement: 99}",
         "2:21: limits.agreement: 99 is more than 1; expected a share from 0 to 1, such as 0.99 or 99%"),
        # levels
        ("limits: {ram_peak: {}}", "2:20: limits.ram_peak: sets no bound; expected warn, error or both"),
        ("limits: {ram_peak: {on_unknown: warn}}",
         "2:20: limits.ram_peak: sets no bound; expected warn, error or both"),
        ("limits: {ram_peak: {error: 3}}", f"2:28: limits.ram_peak.error: 3 has no unit; {SIZE}"),
        ("limits: {ram_peak: {warn: }}", f"2:27: limits.ram_peak.warn: is empty; {SIZE}"),
        ("limits: {ram_peak: {error: off}}", f"2:28: limits.ram_peak.error: found 'off'; {SIZE}"),
        ("limits: {ram_peak: {eror: 3 MB}}",
         "2:21: limits.ram_peak.eror: unknown key; did you mean error?"),
        ("limits: {ram_peak: {error: 3 MB, on_unknown: wran}}",
         "2:46: limits.ram_peak.on_unknown: found 'wran'; did you mean warn?"),
        ("limits: {ram_peak: {error: 3 MB, on_unknown: skip}}",
         "2:46: limits.ram_peak.on_unknown: found 'skip'; expected one of unknown, fail, warn, ignore"),
        ("limits: {ram_peak: {error: 3 MB, projected: no}}",
         "2:45: limits.ram_peak.projected: found 'no'; expected one of interval, point"),
        # keys
        ("limits: {ram_peek: 3 MB}", "2:10: limits.ram_peek: unknown key; did you mean ram_peak?"),
        ("limits: {latency_p50s: 3 ms}",
         "2:10: limits.latency_p50s: unknown key; did you mean latency_p50 or latency_p95?"),
        ("limit: {size: 3 MB}", "2:1: limit: unknown key; did you mean limits?"),
        ("limits: {size:3 MB}",
         "2:10: limits.'size:3 MB': unknown key; write a space after the colon: size: …"),
        ("Limits: {size: 3 MB}", "2:1: Limits: unknown key; did you mean limits?"),
        ("colour: red",
         ("2:1: colour: unknown key; expected model, trusted, format, signature, samples, inputs, variants, "
         "threads, accelerator, cluster, bundle, measure, limits, regression, devices, extends, shared")),
        ('"a\\eb": red',
         ("2:1: 'a\\x1bb': unknown key; expected model, trusted, format, signature, samples, inputs, variants, "
         "threads, accelerator, cluster, bundle, measure, limits, regression, devices, extends, shared")),
        ("threads: 1\nthreads: 2", "3:1: threads: duplicate key, first on line 2"),
        ("accelerator: 3",
         ("2:14: accelerator: found 3; expected cpu, cuda, tensorrt, openvino, nnapi, xnnpack, gpu, edgetpu, or the "
         "absolute path of a delegate's library on the device")),
        ("accelerator: tensort", "2:14: accelerator: found 'tensort'; did you mean tensorrt?"),
        ("accelerator: ./libnpu.so",
         ("2:14: accelerator: found './libnpu.so'; expected cpu, cuda, tensorrt, openvino, nnapi, xnnpack, gpu, "
         "edgetpu, or the absolute path of a delegate's library on the device")),
        ("accelerator: {precision: fp16}",
         ("2:14: accelerator.provider: is missing: what runs the model: cpu, cuda, tensorrt, openvino, nnapi, xnnpack, "
         "gpu, edgetpu, or the absolute path of a delegate's library on the device, such as tensorrt")),
        ("accelerator: {provider: openvino, precision: fp61}",
         "2:46: accelerator.precision: found 'fp61'; did you mean fp16?"),
        ("accelerator: {provider: openvino, precision: int8}",
         "2:14: accelerator: openvino has no precision 'int8'; choose from fp32, fp16, accuracy"),
        ("accelerator: {provider: edgetpu, precision: int8}",
         "2:14: accelerator: edgetpu takes no precision: the model's own types decide"),
        ("accelerator: [cuda]",
         ("2:14: accelerator: found a list; expected cpu, cuda, tensorrt, openvino, nnapi, xnnpack, gpu, edgetpu, or "
         "the absolute path of a delegate's library on the device")),
        # kinds
        ("limits: 3 MB", "2:9: limits: found 3 MB; expected a mapping such as {size: 1 MB, ram_peak: 80 MiB}"),
        ("limits: [size]", "2:9: limits: found a list; expected a mapping such as {size: 1 MB, ram_peak: 80 MiB}"),
        ("threads: 0", "2:10: threads: found 0; expected a whole number from 1 to 1,024"),
        ("threads: 1.5", "2:10: threads: found 1.5; expected a whole number from 1 to 1,024"),
        ("threads: true", "2:10: threads: found true; expected a whole number from 1 to 1,024"),
        ("threads: {a: 1}", "2:10: threads: found a mapping; expected a whole number from 1 to 1,024"),
        ("threads: two", "2:10: threads: found two; expected a whole number from 1 to 1,024"),
        (f"threads: {'2' * 99}", f"2:10: threads: found '{'2' * 64}…'; expected a whole number from 1 to 1,024"),
        ('threads: "\\e[31m"', "2:10: threads: found '\\x1b[31m'; expected a whole number from 1 to 1,024"),
        ("format: onxx", "2:9: format: found 'onxx'; did you mean onnx?"),
        ("format: 3", ('2:9: format: found 3, which YAML reads as a number (it is text in quotes: "3"); '
         "expected one of tflite, onnx")),
        ("samples: 3.10", ('2:10: samples: found 3.10, which YAML reads as a number (it is text in quotes: "3.10"); '
         "expected text on one line")),
        ("samples: true", ('2:10: samples: found true, which YAML reads as true or false (it is text in quotes: '
         '"true"); expected text on one line')),
        ('samples: "a\\0b"', "2:10: samples: found 'a\\x00b'; expected text on one line"),
        ("samples: '  '", "2:10: samples: found '  '; expected text on one line"),
        ("samples: none.npz", "2:10: samples: none.npz does not exist (paths are relative to the budget's folder)"),
        ("inputs: [1, 2]", "2:9: inputs: found a list; expected a mapping such as {image: [1, 128, 128, 3]}"),
        ("inputs: {image: 3}", "2:17: inputs.image: found 3; expected a list"),
        ("inputs: {image: [1, -1]}",
         "2:21: inputs.image[1]: found -1; expected a whole number from 1 to 2,147,483,647"),
        ("inputs: {'a b': [x]}", "2:18: inputs.'a b'[0]: found x; expected a whole number from 1 to 2,147,483,647"),
        ("bundle: sytem", "2:9: bundle: found 'sytem'; did you mean system?"),
        ("variants: int8", "2:11: variants: found int8; expected a list such as [float32, int8]"),
        ("variants: []", "2:11: variants: is empty; expected one or more"),
        ("variants: [int8, float32, int8]", "2:27: variants[2]: is in the list twice"),
        ("variants: [int-8]", "2:12: variants[0]: found 'int-8'; did you mean int8?"),
        ("variants: [fp64]", f"2:12: variants[0]: found 'fp64'; expected {NAMES}"),
        ("variants: [[int8]]", f"2:12: variants[0]: found a list; expected {NAMES}"),
        ("variants: [{prune: 0.5}]",
         "2:12: variants[0].variant: is missing: how the model is converted, such as int8"),
        ("variants: [{variant: int8, prune: 150%}]",
         "2:35: variants[0].prune: '150%' is more than 1; expected a share from 0 to 1, such as 0.99 or 99%"),
        ("measure: {max_time: 30}", f"2:21: measure.max_time: 30 has no unit; {TIME}"),
        ("measure: {min_time: 2 s, max_time: 1 s}", "2:36: measure.max_time: is shorter than min_time, 2.00 s"),
        ("measure: {deadline: 2 s}", "2:21: measure.deadline: is shorter than max_time, 30.0 s"),
        ("measure: {min_cuont: 3}", "2:11: measure.min_cuont: unknown key; did you mean min_count?"),
        ("trusted: sha256:abc",
         "2:10: trusted: found sha256:abc; expected sha256: and 64 hexadecimal digits, which `sha256sum FILE` prints"),
    ],
)  # fmt: skip
def test_a_wrong_value_gives_one_problem_at_its_place(write: Write, text: str, message: str) -> None:
    write("b.yaml", f"model: net.tflite\n{text}\n{PI}")
    assert problems("b.yaml") == [f"b.yaml:{message}"]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("model: net.tflite\n",
         [("1:1: devices: is missing: the devices, each with its own limits or none, such as "
          "{raspberry-pi-4-2gb: {latency_p50: 50 ms}}")]),
        (PI, ["1:1: model: is missing: the model file or folder, relative to the budget, such as net.tflite"]),
        (f"model:\n{PI}", ["1:7: model: is empty; expected text on one line"]),
        (f"model: 5\n{PI}",
         ['1:8: model: found 5, which YAML reads as a number (it is text in quotes: "5"); expected text on one line']),
        (f"model: [net.tflite, {{}}, none.onnx, net.tflite, x*.onnx]\n{PI}",
         ["1:21: model[1]: found a mapping; expected text on one line",
          "1:25: model[2]: none.onnx does not exist (paths are relative to the budget's folder)",
          "1:36: model[3]: is in the list twice",
          "1:48: model[4]: x*.onnx matches no file (paths are relative to the budget's folder)"]),
        (f"model: [net.tflite, n?t.onnx]\ntrusted: 'sha256:{SHA}'\n{PI}",
         ["1:21: model[1]: n?t.onnx matches no file (paths are relative to the budget's folder)",
          "2:10: trusted: is for one file, and the budget has 2 models"]),
        (f"model: net.tflite\nextends: none.yaml\n{PI}",
         ["2:10: extends: none.yaml does not exist (paths are relative to the budget's folder)"]),
        (f"model: net.tflite\nextends: b.yaml\n{PI}", ["2:10: extends: extends itself: b.yaml extends b.yaml"]),
        (f"model: net.onnx\n{PI}", ["1:8: model: net.onnx does not exist (paths are relative to the budget's folder)"]),
        (f"model: {'n' * 300}*.onnx\n{PI}",
         [f"1:8: model: {'n' * 300}*.onnx matches no file (paths are relative to the budget's folder)"]),
        (f"model: {'n' * 300}.onnx\n{PI}",
         [f"1:8: model: {'n' * 300}.onnx does not exist (paths are relative to the budget's folder)"]),
        (f"model: {{factory: build, weights: net.tflite, weight: 1}}\n{PI}",
         ["1:18: model.factory: found build; expected package.module:function, such as nets.face:build",
          "1:46: model.weight: unknown key; did you mean weights?"]),
        (f"model: {{factory: 'a:b', weights: w.pth}}\n{PI}",
         ["1:34: model.weights: w.pth does not exist (paths are relative to the budget's folder)"]),
        (f"model: {{factory: 'a:b', weights: net.tflite, trusted: 'sha256:{SHA}'}}\ntrusted: 'sha256:{SHA}'\n{PI}",
         ["2:10: trusted: is given twice; give it here or under model"]),
        ("[model]", ["1:1: found a list; expected a mapping with the keys model, trusted, format and so on"]),
        ("model", ["1:1: found model; expected a mapping with the keys model, trusted, format and so on"]),
        ("model: net.tflite\ndevices: pixel-8\n",
         ["2:10: devices: found pixel-8; expected a mapping such as {raspberry-pi-4-2gb: {latency_p50: 50 ms}}"]),
        ("model: net.tflite\ndevices: {}\n", ["2:10: devices: is empty; expected one or more"]),
        ("model: net.tflite\ndevices: []\n", ["2:10: devices: is empty; expected one or more"]),
        ("model: net.tflite\ndevices: [pixel-8, 3]\n",
         [('2:20: devices[1]: found 3, which YAML reads as a number (it is text in quotes: "3"); expected text on '
          "one line")]),
        ("model: net.tflite\ndevices: [pixel-8, pixel-8]\n", ["2:20: devices[1]: is in the list twice"]),
        ("model: net.tflite\ndevices: [pixel8]\n",
         ["2:11: devices[0]: there is no device 'pixel8'; did you mean pixel-8 or pixel-9?"]),
        ("model: net.tflite\ndevices:\n  off: {}\n", ["3:3: devices.off: there is no device 'off'"]),
        ("model: net.tflite\ndevices:\n  no:\n", ["3:3: devices.no: there is no device 'no'"]),
        ("model: net.tflite\ndevices: {pixel-8: off}\n",
         ["2:20: devices.pixel-8: found off; expected a mapping with the keys size, download, params and so on"]),
        ("model: net.tflite\ndevices: {pixel-8: {latency_p50: 20}}\n",
         [f"2:34: devices.pixel-8.latency_p50: 20 has no unit; {TIME}"]),
        ("model: net.tflite\ndevices: {raspberry-pi-4: }\n",
         [("2:11: devices.raspberry-pi-4: the profile 'raspberry-pi-4' is shared by several devices; use one of "
          "raspberry-pi-4-2gb, raspberry-pi-4-4gb, raspberry-pi-4-8gb")]),
    ],
)  # fmt: skip
def test_a_wrong_file_gives_its_problems_in_the_order_of_the_file(write: Write, text: str, messages: list[str]) -> None:
    write("b.yaml", text)
    assert problems("b.yaml") == [f"b.yaml:{message}" for message in messages]


def test_all_problems_of_all_files_and_profiles_come_at_once(write: Write) -> None:
    write("device_profiles/board.yaml", "name: Board\npython: 3.11\n")
    write("device_profiles/loop.yaml", "extends: loop\n")
    write("budgets/one.yaml", "model: none.onnx\nthreads: 0\nlimits: {size: 3}\ndevices: {board: , loop: }\n")
    write("budgets/two.yaml", "model: none.onnx\ndevices: {board: }\n")
    write("budgets/three.yaml", "\tmodel: none.onnx\n")
    write("budgets/four.yaml", "devices: {board: }\n")
    board = "device_profiles/board.yaml:1:1"
    assert problems("budgets", "none.yaml") == [
        (
            "budgets/four.yaml:1:1: model: is missing: the model file or folder, relative to the budget, "
            "such as net.tflite"
        ),
        "budgets/one.yaml:1:8: model: budgets/none.onnx does not exist (paths are relative to the budget's folder)",
        "budgets/one.yaml:2:10: threads: found 0; expected a whole number from 1 to 1,024",
        f"budgets/one.yaml:3:16: limits.size: 3 has no unit; {SIZE}",
        "budgets/three.yaml:1:1: found a tab; YAML takes spaces to indent",
        "budgets/two.yaml:1:8: model: budgets/none.onnx does not exist (paths are relative to the budget's folder)",
        f"{board}: class: is missing: what kind of device it is, such as single-board-computer",
        f"{board}: cpu: is missing: its core, such as {{core: cortex-a72, count: 4, clock: 1.8 GHz}}",
        (
            f"{board}: limits: is missing: its limits, such as "
            "{ram_peak: 512 MiB, footprint: 500 MB, latency_p50: 100 ms}"
        ),
        f"{board}: ram: is missing: its RAM, such as {{total: 2 GiB, reserved: 180 MiB}}",
        f"{board}: runtimes: is missing: its runtimes, such as {{onnx: [onnxruntime==1.32.0]}}",
        f"{board}: soc: is missing: the chip, such as Broadcom BCM2711",
        f"{board}: storage: is missing: its storage, such as {{total: 16 GB, reserved: 4 GB}}",
        (
            "device_profiles/board.yaml:2:9: python: found 3.11, which YAML reads as a number (it is text in quotes: "
            '"3.11"); expected a version of Python in quotes, such as "3.11"'
        ),
        "device_profiles/loop.yaml:1:10: extends: extends itself: loop extends loop",
        "none.yaml: cannot be read: No such file or directory",
    ]


def test_a_budget_on_paths_that_are_not_there(here: Path) -> None:
    (here / "empty").mkdir()
    assert problems("none.yaml", "empty") == [
        "empty: the folder has no .yaml file",
        "none.yaml: cannot be read: No such file or directory",
    ]


def test_the_example_next_to_the_problems_is_valid(write: Write) -> None:
    write("model.tflite", "")
    write("b.yaml", BUDGET)
    assert [profile.id for profile, _ in load("b.yaml")[0].devices] == ["raspberry-pi-4-2gb"]
    assert BUDGET in BUDGET_HINT.replace("    ", "", 1).replace("\n    ", "\n")


def test_the_budgets_of_this_repository_are_valid_but_for_models_not_yet_fetched(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert lint([Path("budgets")]).problems == ()
