"""`edgecheck check` on real models, with its `outputs`, `progress` and `results`."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from edgecheck.core.metrics import METRICS
from examples.real_models import fetch
from tests.agent import small_models
from tests.cli.command import EDGECHECK, edgecheck

#: Limits with which nothing has to run.
FILES_ONLY = ("--limit", "ram_peak=off", "--limit", "size=2MB")
SHORT = "measure: {min_count: 10, min_time: 50 ms, warmup_time: 10 ms}\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    place = tmp_path / "net.onnx"
    place.write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    return place


def budget(folder: Path, text: str, name: str = "net.yaml") -> Path:
    place = folder / name
    place.write_text(f"model: net.onnx\n{SHORT}{text}", encoding="utf-8")
    return place


def test_a_model_on_this_machine(model: Path, tmp_path: Path) -> None:
    done = edgecheck("check", model, "--limit", "ram_peak=2GiB", "--limit", "latency_p50=1s", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "✔ pass  ram_peak" in done.out
    assert re.search(r"✔ pass  latency_p50 +[\d.]+ [mu]s  ≤ 1.00 s +\d+% room  measured +command line", done.out)
    assert re.search(r"Every limit holds: \d limits in 1 check\.\n$", done.out)


def test_a_signature_is_chosen(tmp_path: Path) -> None:
    """Its own open dimension is asked for, then it runs; another one is named."""
    small_models.two_signatures(tmp_path / "two.tflite")
    asked = ("check", "two.tflite", "--signature", "decode", "--limit", "ram_peak=2GiB")
    done = edgecheck(*asked, cwd=tmp_path)
    assert done.code == 3
    assert "input x has shape [1, ?]" in done.out
    done = edgecheck(*asked, "--input", "x=1,5", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "The model has 2 signatures; runs and comparisons are of decode, not of encode." in done.out
    assert "To check another one, name it: --signature encode (`signature:` in a budget)." in done.out
    text = "model: two.tflite\nsignature: decode\ninputs: {x: [1, 5]}\ndevices: {this-machine: {ram_peak: 2 GiB}}\n"
    (tmp_path / "two.yaml").write_text(f"{SHORT}{text}", encoding="utf-8")
    done = edgecheck("check", "two.yaml", cwd=tmp_path)
    assert done.code == 0
    assert "are of decode" in done.out


def test_an_unknown_signature(model: Path, tmp_path: Path) -> None:
    small_models.two_signatures(tmp_path / "two.tflite")
    done = edgecheck("check", "two.tflite", "--signature", "train", *FILES_ONLY, cwd=tmp_path)
    assert "two.tflite has no signature 'train'; it has: encode, decode." in done.out + done.err
    done = edgecheck("check", model, "--signature", "train", *FILES_ONLY, cwd=tmp_path)
    assert "net.onnx has no signatures: only .tflite files and SavedModels have them." in done.out + done.err


def test_a_limit_that_does_not_hold(model: Path, tmp_path: Path) -> None:
    budget(tmp_path, "devices: {this-machine: {size: 1 MB, latency_p50: 1 us}}\n")
    done = edgecheck("check", "net.yaml", cwd=tmp_path)
    assert done.code == 1
    assert "✘ fail  size" in done.out
    assert "56% over" in done.out
    assert re.search(r"latency_p50: [\d,]+ of [\d,]+ inferences took over 1.00 us", done.out)
    assert "Next: make the model smaller or faster, or raise the limit at net.yaml:3." in done.out


@pytest.mark.usefixtures("model")
def test_a_pc_never_passes_or_fails_a_raspberry_pis_latency(tmp_path: Path) -> None:
    budget(tmp_path, "devices: {raspberry-pi-4-2gb: {latency_p50: 1 us}}\n")
    done = edgecheck("check", "net.yaml", "--target", "local", cwd=tmp_path)
    assert done.code == 3
    assert re.search(r"\? unknown  latency_p50 +[\d.]+ \w+  ≤ 1.00 us", done.out)
    assert re.search(r"latency_p50: measured on .*, not on a Raspberry Pi 4", done.out)


def test_files_alone_are_judged_for_every_device_and_nothing_runs(model: Path, tmp_path: Path) -> None:
    off = "ram_peak: off, latency_p50: off, footprint: off"
    budget(tmp_path, f"devices: {{pixel-8: {{{off}, size: 2 MB}}, raspberry-pi-5-4gb: {{{off}, size: 1 MB}}}}\n")
    done = edgecheck("check", "net.yaml", "--format", "json=report.json", cwd=tmp_path)
    assert done.code == 1
    checks = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["checks"]
    assert [(check["device"], check["target"], check["run"]) for check in checks] == [
        ("pixel-8", "", None),
        ("raspberry-pi-5-4gb", "", None),
    ]
    assert [check["verdicts"][0]["status"] for check in checks] == ["pass", "fail"]


def test_a_variant_is_made_once_and_checked(model: Path, tmp_path: Path) -> None:
    budget(tmp_path, "variants: [as-is, int8-dynamic]\ndevices: {this-machine: {size: 700 kB, ram_peak: off}}\n")
    first = edgecheck("check", "-v", "net.yaml", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.onnx")}
    again = edgecheck("check", "net.yaml", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (first.code, again.code) == (1, 1)
    assert re.search(r"net\.onnx · int8-dynamic .*\n.*quantize_dynamic", first.out)
    assert len(made) == 1
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.onnx")}


def test_every_figure_says_how_it_was_got(model: Path, tmp_path: Path) -> None:
    budget(tmp_path, "devices: {this-machine: {size: 2 MB, latency_p90: 1 s}}\n")
    done = edgecheck("check", "net.yaml", "--format", "json", cwd=tmp_path)
    (check,) = json.loads(done.out)["checks"]
    origins = {name: figure["provenance"] for name, figure in check["figures"].items()}
    assert origins["size"] == origins["download"] == "static"
    assert origins["ram_peak"] == origins["ram_model"] == origins["latency_p90"] == "measured"
    memory = [worker for worker in check["run"]["workers"] if worker["purpose"] == "memory"]
    assert all(len(worker["samples"]) > 3 and worker["sampler"].startswith("psutil") for worker in memory)
    kernel, sampled = max(mark["peak_rss"] for mark in memory[0]["marks"]), max(rss for _, rss in memory[0]["samples"])
    assert kernel == pytest.approx(sampled, rel=0.05)


def test_results_are_kept_complete(model: Path, tmp_path: Path) -> None:
    budget(tmp_path, "devices: {this-machine: {size: 2 MB, ram_peak: off}}\n")
    edgecheck("check", "net.yaml", "--quiet", cwd=tmp_path)
    (kept,) = (tmp_path / ".edgecheck" / "results").glob("*.json")
    assert json.loads(kept.read_text(encoding="utf-8"))["status"] == "pass"
    assert not list(kept.parent.glob(".*"))


def test_quiet_says_only_the_answer_when_all_is_well(model: Path, tmp_path: Path) -> None:
    budget(tmp_path, "devices: {this-machine: {size: 2 MB, download: 2 MB, ram_peak: off}}\n")
    done = edgecheck("check", "net.yaml", "-q", cwd=tmp_path)
    assert re.fullmatch(r"Every limit holds: 2 limits in 1 check\.\n", done.out)


def test_budgets_are_found_where_they_usually_are(model: Path, tmp_path: Path) -> None:
    (tmp_path / "budgets").mkdir()
    model.rename(tmp_path / "budgets" / "net.onnx")
    budget(tmp_path / "budgets", "devices: {this-machine: {size: 2 MB, ram_peak: off}}\n")
    done = edgecheck("check", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "1 limit in 1 check" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "There is nothing to check"),
        (["missing.onnx"], "missing.onnx"),
        (["missing.yaml"], "missing.yaml"),
        (["net.onnx", "--limit", "ram_peek=80MiB"], "ram_peak"),
        (["net.onnx", "--limit", "ram_peak=80"], "no unit"),
        (["net.onnx", "--device", "raspbery-pi-4-2gb"], "raspberry-pi-4-2gb"),
        (["net.onnx", "--target", "usb"], "No target is called 'usb'"),
        (["net.onnx", "--format", "xml"], "xml"),
        (["net.onnx", "--format", "json=nowhere/report.json"], "does not exist"),
        (["net.onnx", "--format", "json", "--format", "terminal"], "stdout"),
        (
            ["net.onnx", "--format", "json=report", "--format", "html=./report"],
            "Two formats cannot both go to one file.",
        ),
        (["net.onnx", "--format", "json=/proc/report.json"], "/proc cannot be written to: "),
        (["page.onnx"], "a web page that was saved under a model's name"),
        (["empty.onnx"], "empty"),
    ],
)
def test_wrong_usage_runs_nothing(arguments: list[str], words: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "page.onnx").write_text("<!DOCTYPE html><html></html>", encoding="utf-8")
    (tmp_path / "empty.onnx").touch()
    done = edgecheck("check", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (2, ""), done.err
    assert words in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / ".edgecheck").exists()


@pytest.mark.usefixtures("model")
def test_on_unknown_and_fail_on(tmp_path: Path) -> None:
    """Nothing converts .onnx to .tflite, so that one of two checks is undecided before anything runs."""
    devices = "devices: {this-machine: {size: 2 MB, ram_peak: off}}\n"
    budget(tmp_path, devices)
    budget(tmp_path, f"format: tflite\n{devices}", "undecided.yaml")
    codes = {
        rule: edgecheck("check", "net.yaml", "undecided.yaml", "--on-unknown", rule, cwd=tmp_path).code
        for rule in ("unknown", "fail", "warn", "ignore")
    }
    assert codes == {"unknown": 3, "fail": 1, "warn": 0, "ignore": 0}
    budget(tmp_path, "devices: {this-machine: {size: {warn: 1 MB, error: 2 MB}, ram_peak: off}}\n")
    assert edgecheck("check", "net.yaml", cwd=tmp_path).code == 0
    assert edgecheck("check", "net.yaml", "--fail-on", "warn", cwd=tmp_path).code == 1


def test_a_file_the_runtime_refuses_does_not_stop_the_others(model: Path, tmp_path: Path) -> None:
    small_models.one_operator(tmp_path / "bad.tflite", 32, "MaxUnpooling2D")
    done = edgecheck("check", "bad.tflite", "net.onnx", cwd=tmp_path)
    assert (done.code, done.err) == (1, "")
    good, bad = done.out.split("bad.tflite · as-is", 1)  # what fails comes last
    assert re.match(r"✔ pass  net\.onnx · as-is · ", good)
    assert "✘ fail  ram_peak" in bad
    assert "refused by the runtime while the model was loaded" in bad


def test_a_damaged_file_stops_the_others_before_anything_runs(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    (tmp_path / "bad.onnx").write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    for paths in (["bad.onnx", "net.onnx"], ["net.onnx", "bad.onnx"]):
        done = edgecheck("check", *paths, cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("edgecheck: bad.onnx is damaged: it is an ONNX model that has been cut off.\n")
    assert not (tmp_path / ".edgecheck").exists()


def test_no_colour_codes_in_files_or_pipes(model: Path, tmp_path: Path) -> None:
    arguments = ("check", model, *FILES_ONLY, "--format", "terminal=report.txt", "--format", "terminal")
    done = edgecheck(*arguments, cwd=tmp_path, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" not in done.out
    edgecheck(*arguments, cwd=tmp_path, FORCE_COLOR="1")
    assert "\x1b[" not in (tmp_path / "report.txt").read_text(encoding="utf-8")


def _descendants(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True).stdout.split()
    parents = dict(zip(map(int, found[::2]), map(int, found[1::2]), strict=True))
    return [child for child in parents if pid in _ancestors(child, parents)]


def _ancestors(pid: int, parents: dict[int, int]) -> list[int]:
    line = []
    while (pid := parents.get(pid, 0)) > 1:
        line.append(pid)
    return line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_everything_and_keeps_what_is_done(
    number: signal.Signals, model: Path, tmp_path: Path
) -> None:
    budget(tmp_path, "devices: {this-machine: {size: 2 MB}}\n", "a.yaml")
    place = budget(tmp_path, "devices: {this-machine: {latency_p99: 380 us}}\n", "b.yaml")
    place.write_text(place.read_text(encoding="utf-8").replace("min_time: 50 ms", "min_time: 60 s"), encoding="utf-8")
    process = subprocess.Popen(
        [EDGECHECK, "check", "-v", "a.yaml", "b.yaml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "not limited" in line:
            break  # the first check is printed; the second goes on for a minute
    else:
        raise AssertionError(process.communicate())
    while not (started := _descendants(process.pid)):
        assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.glob("edgecheck-*"))
    (kept,) = (tmp_path / ".edgecheck" / "results").glob("*.json")
    assert len(json.loads(kept.read_text(encoding="utf-8"))["checks"]) == 1


def test_a_terminal_is_shown_what_goes_on(model: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [EDGECHECK, "check", model],
        cwd=tmp_path,
        stderr=theirs,
        stdout=subprocess.PIPE,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(ours, 4096):
                shown.extend(piece)
        except OSError:
            pass  # the other end is closed: Linux says so with EIO

    reader = threading.Thread(target=read)
    reader.start()
    process.communicate(timeout=120)
    reader.join()
    assert b"latency pass" in shown
    assert b"memory pass" in shown


def test_a_folder_that_cannot_be_written_is_reported_and_does_not_stop(model: Path, tmp_path: Path) -> None:
    (tmp_path / ".edgecheck").write_text("in the way", encoding="utf-8")
    done = edgecheck("check", model, *FILES_ONLY, cwd=tmp_path)
    assert done.code == 0
    assert "results are not saved" in done.err


def test_two_at_once(model: Path, tmp_path: Path) -> None:
    budget(tmp_path, "variants: [int8-dynamic]\ndevices: {this-machine: {size: 2 MB}}\n")
    cache = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    both = [
        subprocess.Popen([EDGECHECK, "check", "net.yaml"], cwd=tmp_path, env=cache, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    assert len(list((tmp_path / ".edgecheck" / "results").glob("*.json"))) == 2


def test_metrics_are_documented(root: Path) -> None:
    text = (root / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    for name in METRICS:
        assert f"`{name}`" in text or name.startswith("latency_p"), name
