"""Tries the accelerators of this machine for `edgecheck doctor`: each runs a tiny model, or says why it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgecheck.core.accelerator import PROVIDERS
from edgecheck.core.events import PROTOCOL
from edgecheck.core.text import clean
from edgecheck.errors import EdgecheckError
from edgecheck.scratch import scratch

#: By accelerator: the format that it runs.
_FORMATS = {name: provider.formats[0] for name, provider in PROVIDERS.items()}

#: By format: the agent's module with a model of one operator, which any version of the runtime takes.
_TINY = {"onnx": "onnx_engine", "tflite": "tflite_engine"}

#: Seconds that one trial may take; building an engine for a GPU takes some of them.
_PATIENCE = 60.0

#: How many are tried at the same time.
_AT_ONCE = 3

#: The reason for which the agent refuses a model of which nothing ran on the accelerator.
_UNUSED = "unused-accelerator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one trial of `edgecheck doctor` found."""

    works: bool
    what: str
    found: str
    """Its version or what ran, or what is wrong and how to fix it."""


def findings() -> Iterator[Line]:
    """A line for each accelerator."""
    seen = _probed()
    with scratch() as folder:
        models = {form: path for form in _TINY if (path := _tiny(form, folder)) is not None}
        with ThreadPoolExecutor(_AT_ONCE) as several:
            tried = several.map(lambda name: _tried(name, models.get(_FORMATS[name])), _FORMATS)
            for line in tried:
                one = seen.get(line.what, {})
                there = [*one.get("devices", ()), *one.get("libraries", ())]
                yield replace(line, found=clean(line.found + (f" (found {', '.join(there)})" if there else "")))
    for name in seen.keys() - _FORMATS.keys():
        one = seen[name]
        present = ", ".join([*one.get("devices", ()), *one.get("libraries", ())])
        unused = f"{present} is here, but no runtime of edgecheck's uses it"
        yield Line(works=False, what=clean(name), found=clean(unused))


def _probed() -> Mapping[str, Any]:
    """By accelerator: the driver's nodes and the libraries that are here."""
    from edgecheck.targets.local import probe

    try:
        return {one["provider"]: one for one in probe(()).get("accelerators", ())}
    except EdgecheckError:
        return {}


def _tiny(form: str, folder: Path) -> Path | None:
    """The agent's tiny model as a file; None where the runtime is not installed, or hangs."""
    code = f"import sys; from edgecheck_agent import {_TINY[form]} as one; sys.stdout.buffer.write(one.TINY)"
    try:
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode or not done.stdout:
        return None
    path = folder / f"tiny.{form}"
    path.write_bytes(done.stdout)
    return path


def _tried(name: str, model: Path | None) -> Line:
    """Whether a tiny model ran on the accelerator, and what ran it or what is missing."""
    from edgecheck.core.address import LOCAL
    from edgecheck.targets.interface import Workload
    from edgecheck.targets.local import LocalTarget

    if model is None:
        return Line(works=False, what=name, found=f"no runtime for .{_FORMATS[name]} runs here")
    job = {
        "protocol": PROTOCOL,
        "format": _FORMATS[name],
        "accelerator": {"provider": name, "precision": None},
        "load": {"processes": 1},
        "deadline_s": _PATIENCE,
    }
    try:
        with LocalTarget(address=LOCAL).launch(Workload(job=job, model=(model,)), lambda _: None) as lines:
            events = [json.loads(line) for line in lines]
    except EdgecheckError as error:
        return Line(works=False, what=name, found=error.message)
    works, found = _outcome(name, events)
    return Line(works=works, what=name, found=found)


def _outcome(name: str, events: list[dict[str, Any]]) -> tuple[bool, str]:
    """What the agent's events say."""
    placed = next((event for event in events if event["event"] == "placement"), None)
    end = next((event for event in events if event["event"] == "end"), None)
    if end is None:
        problem = next((event for event in events if event["event"] == "problem"), {})
        return False, str(problem.get("message") or "the agent ended without a result")
    if name == "edgetpu" and end["reason"] == _UNUSED:
        return False, "its library starts; whether it works shows only with a model that was compiled for it"
    if end["outcome"] != "completed":
        return False, str(end["message"])
    return True, f"ran a model ({placed['accelerator']}, by {placed['proof']})" if placed else "ran a model"
