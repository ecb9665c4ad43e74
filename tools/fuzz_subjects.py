"""What `fuzz.py` changes and reads: files by name, and by their ending what reads them, as edgecheck itself does.

A folder is a zip archive called `.folder`, so that a finding is one file. Two kinds are texts of JSON lines: `.events`
is what a device's agent sends in one run, and `.answers` what its courier answers.
"""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from edgecheck.anatomy.reading import read
from edgecheck.config import lint
from edgecheck.config.command_line import allowance_from_text
from edgecheck.config.profiles import Profiles
from edgecheck.core.address import parse
from edgecheck.core.comparison import Side, judged_against
from edgecheck.core.events import RunReader
from edgecheck.core.finding import Measurement
from edgecheck.core.protocol import parsed
from edgecheck.core.report import Report
from edgecheck.core.text import clean
from edgecheck.errors import EdgecheckError
from edgecheck.reports import FORMATS, render
from edgecheck.reports.reading import read_report
from edgecheck.targets.shell import client as clients
from edgecheck.targets.shell.wire import Wire, message_in
from edgecheck.targets.ssh import opener
from tests.anatomy.saved_models import saved_model
from tests.anatomy.test_fuzz import MADE
from tests.reports import sample

ROOT = Path(__file__).parents[1]
_PLAIN_FORMATS = ("terminal", "markdown", "github")
_GROWTHS = ("size=1%", "latency_p50=10%,2ms", "ram_peak=5%", "params=0%")


def corpus() -> dict[str, bytes]:
    """By name: files to change."""
    data = {path.name: path.read_bytes() for path in (ROOT / "tests" / "anatomy" / "data").glob("*.h5")}
    budgets = {path.name: path.read_bytes() for path in (ROOT / "budgets").glob("*.yaml")}
    profiles = {f"{path.stem}.profile.yaml": path.read_bytes() for path in (ROOT / "device_profiles").glob("*.yaml")}
    every = Report(
        results=(*sample.EVERYTHING.results, sample.rich()), version="0.1.0", host="host", started="", seconds=1.0
    )
    return (
        MADE
        | data
        | budgets
        | profiles
        | {
            "saved_model.folder": packed(saved_model()),
            "report.json": render("json", every).encode(),
            "run.events": b"".join(json.dumps(event).encode() + b"\n" for event in _events()),
            "courier.answers": b"".join(json.dumps(answer).encode() + b"\n" for answer in _ANSWERS),
        }
    )


def packed(files: dict[str, bytes]) -> bytes:
    """A folder as one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of a folder that was packed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _events() -> Iterator[dict[str, Any]]:
    """Everything that an agent says in a run of two workers."""
    state = {
        "event": "device", "when": "before", "system": "Linux", "machine": "aarch64", "page_size": 4096,
        "cpu": {"kind": "arm", "count": 4, "affinity": [0, 1], "names": ["Cortex-A72"], "clocks": [1.5e9, None]},
        "memory": {"total": 2 << 30, "available": 1 << 30, "swap_used": 0}, "temperatures": {"cpu": 48.5},
        "throttled": {"flags": ["under-voltage occurred"]}, "load_average": [0.5, 0.4, 0.3], "power_mode": None,
        "jetson": {
            "mode": {"name": "MAXN", "number": 0}, "modes": [["MAXN", 0], ["5W", 1]], "rails": {"VDD_IN": 4.9},
            "clocks": [{"name": "gpu", "least": 76800000, "most": 921600000, "now": 384000000}],
        },
    }  # fmt: skip
    yield state
    yield {"event": "waiting", "holder": "anna@desk pid 4711"}
    for process, purpose in ((1, "memory"), (2, "latency")):
        yield {"event": "start", "process": process, "purpose": purpose, "pid": 7, "available": 1 << 30}
        yield {"event": "runtime", "process": process, "name": "onnxruntime", "version": "1.32.0", "python": "3.11.7"}
        for at, phase in enumerate(("runtime-ready", "model-loaded", "first-inference")):
            size = (40 + at) << 20
            yield {"event": "phase", "process": process, "phase": phase, "at_s": at / 10, "rss": size, "hwm": size}
        samples = [[at / 100, (40 + at) << 20] for at in range(5)]
        yield {"event": "sample", "process": process, "source": "psutil 7.2.2", "samples": samples}
        yield {"event": "latencies", "process": process, "values_ns": [10_000_000 + at for at in range(40)]}
        count = {"id": "latency_p90:error", "n": 40, "exceedances": 0, "block": 20, "decision": "", "over_s": 0.001}
        yield {"event": "look", "process": process, "n": 40, "counts": [count]}
        yield {"event": "batches", "process": process, "batches": [{"count": 21, "total_ns": 2047464}], "agreed": True}
        yield {"event": "note", "process": process, "code": "guessed-dimension", "message": "input x"}
        yield {"event": "end", "process": process, "phase": "exit", "reason": None, "outcome": "completed"}
    yield {**state, "when": "after"}
    yield {"event": "done", "processes": 2}


_ANSWERS: list[dict[str, Any]] = [
    {"protocol": 1, "facts": {"system": "Linux", "bits": 64, "python": "3.11.7"}, "folder": "/home/pi/.cache"},
    {"missing": ["sha256:0"]},
    {"installed": {"numpy": "2.4.6"}},
    {"folder": "/c", "free": 5, "entries": [{"kind": "file", "digest": "d", "label": "m", "size": 1, "used": 1e9}]},
    {"freed": 3},
    {"error": {"code": "no-room", "message": "the disk is full", "needed": 5, "free": 3}},
    {"started": True},
    {"event": "left", "code": 1, "complaint": "Killed"},
]


def _read_model(path: Path) -> str:
    found = read(path)
    if found.totals.size != found.size or sum(tensor.stored for tensor in found.tensors) != found.totals.tensors:
        return "rows do not add up to the file"
    return "" if all(tensor.memory >= 0 and tensor.params >= 0 for tensor in found.tensors) else "a figure is negative"


def _read_folder(path: Path) -> str:
    try:
        files = unpacked(path.read_bytes())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError, RuntimeError):
        return ""  # the change has hit the archive instead of a file in it
    with tempfile.TemporaryDirectory() as made:
        for name, content in files.items():
            place = Path(made, "model", name)
            with suppress(OSError, ValueError):  # a name that was changed
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        return _read_model(Path(made, "model"))


def _read_budget(path: Path) -> str:
    lint([path])
    return ""


def _read_profile(path: Path) -> str:
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "fuzzed.yaml").write_bytes(path.read_bytes())
        profiles = Profiles([Path(made)])
        if not profiles.trouble("fuzzed"):
            profiles.get("fuzzed")
    return _read_budget(path)


def _read_report(path: Path) -> str:
    report = read_report(path.read_bytes().decode("utf-8", "replace"), path.name)
    rules = [allowance_from_text(text) for text in _GROWTHS]
    for head, base in ((report, sample.EVERYTHING), (sample.EVERYTHING, report), (report, report)):
        for result in head.results:
            judged_against(Side(result, head.host), rules, base)
    return _shown(report)


def _read_events(path: Path) -> str:
    reader = RunReader("ssh:pi@board")
    for line in path.read_bytes().split(b"\n"):
        if line and not reader.done:
            reader.hear(line)
    result = sample.result(reader.run("" if reader.done else "the agent exited before finishing"))
    for found in (result.findings or {}).values():
        if isinstance(found, Measurement) and not (math.isfinite(found.value) and found.value >= 0):
            return f"{found.metric.name} is {found.value}"
    return _shown(sample.report(result))


def _read_answers(path: Path) -> str:
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    board = opener(parse("ssh://pi@board"))
    wrong = ""
    for line in lines:
        for shape in (clients._GREETED, *clients._ANSWERS.values()):  # noqa: SLF001 - any answer may come to any question
            client = clients.CourierClient(cast("Wire", _Line(line)), board, {"folder": "/home/pi"})
            try:
                client.answer(shape)
            except EdgecheckError as error:
                wrong = wrong or unclean(error)
    for line in lines:
        with suppress(ValueError):
            parsed(line)
    return wrong


class _Line:
    """In the place of a wire: one line that came."""

    def __init__(self, line: bytes) -> None:
        self._line = line

    def answer(self) -> dict[str, Any]:
        """As `Wire.answer`."""
        return message_in(self._line)


def _shown(report: Report) -> str:
    """What is wrong with a report in any format."""
    for name in FORMATS:
        text = render(name, report)
        if name in _PLAIN_FORMATS and any(line != clean(line) for line in text.split("\n")):
            return f"the {name} report is not clean"
        if name == "json":
            read_report(text, "again.json")
    return ""


def unclean(error: EdgecheckError) -> str:
    """What in an error cannot be printed safely; "" for nothing."""
    said = f"{error.message}\n{error.hint}"
    return "" if said == "\n".join(map(clean, said.split("\n"))) else "a message is not clean"


#: By ending, the longer ones first: what reads a file, and says what is wrong with the result.
READERS: dict[str, Callable[[Path], str]] = {
    ".profile.yaml": _read_profile,
    ".yaml": _read_budget,
    ".json": _read_report,
    ".events": _read_events,
    ".answers": _read_answers,
    ".folder": _read_folder,
}


def reading(path: Path) -> str:
    """Read a file as edgecheck would; returns what is wrong, "" for nothing, and raises what it raises."""
    name = os.fspath(path.name)
    return next((reader for ending, reader in READERS.items() if name.endswith(ending)), _read_model)(path)
