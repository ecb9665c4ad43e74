"""The files of a project's first day: a budget from what a check found, `edgecheck.yaml`, and a job for CI."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgecheck.config.doubts import doubts, too_tight
from edgecheck.config.ratchet import rewritten
from edgecheck.core.budget import Effort
from edgecheck.core.device_match import match
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import METRICS, OFFLOADED, Direction, Family, Provenance
from edgecheck.core.units import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import PurePath

    from edgecheck.core.accelerator import Accelerator
    from edgecheck.core.budget import Budget
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.finding import Finding
    from edgecheck.core.report import CheckResult

_PLAIN = re.compile(r"[A-Za-z./_][\w./-]*")


def first_budget(
    result: CheckResult, folder: Path, headroom: float, when: str, others: Sequence[CheckResult] = ()
) -> str:
    """The budget's text.

    Args:
        result: What was found, for one device.
        folder: The budget's folder, from which its paths start.
        headroom: Margin between each figure's interval and its limit, as a share.
        when: The day, for the comment.
        others: What was found for further devices.
    """
    lines = [
        f"# From figures of {when}, with {headroom:.0%} headroom beyond the interval of each.",
        "# Edit the limits to what the product needs.",
        "# `edgecheck check FILE` checks them; `edgecheck budget ratchet` tightens them to later results.",
        *_model(result.budget, folder),
        f"variants: [{result.variant.name}]",
        *_settings(result.budget, folder),
        "devices:",
        *(line for one in (result, *others) for line in _device(one, headroom)),
        "# How much each may grow from a baseline (edgecheck check --baseline FILE):",
        "# regression: {size: 1%, latency_p50: {growth: 10%, atleast: 2 ms}}",
    ]
    return "\n".join(lines) + "\n"


def _device(result: CheckResult, headroom: float) -> Iterator[str]:
    yield f"  {result.profile.id}:   # {_comment(result.profile.name)}"
    yield from (f"    {line}" for line in _limits(result, headroom))


def _model(budget: Budget, folder: Path) -> Iterator[str]:
    path = _quoted(_relative(budget.model.path, folder))
    if budget.model.factory:
        yield f"model: {{factory: {_quoted(budget.model.factory)}, weights: {path}}}"
    else:
        yield f"model: {path}"


def _settings(budget: Budget, folder: Path) -> Iterator[str]:
    """What the command line said, apart from the limits."""
    if budget.model.signature:
        yield f"signature: {_quoted(budget.model.signature)}"
    if budget.samples is not None:
        yield f"samples: {_quoted(_relative(budget.samples, folder))}"
    if budget.inputs:
        shapes = (f"{json.dumps(name)}: [{', '.join(map(str, shape))}]" for name, shape in budget.inputs.items())
        yield f"inputs: {{{', '.join(shapes)}}}"
    if budget.accelerator is not None:
        yield f"accelerator: {{{_accelerator(budget.accelerator)}}}"
    if budget.threads != 1:
        yield f"threads: {budget.threads}"
    if budget.bundle:
        yield f"bundle: {budget.bundle}"
    if budget.runtime:
        yield f"# measured with {_comment(budget.runtime)}: write it under `runtimes:` in the device's profile"


def _accelerator(wanted: Accelerator) -> str:
    precision = f", precision: {wanted.precision}" if wanted.precision else ""
    return f"provider: {_quoted(wanted.provider)}{precision}"


def _relative(path: PurePath, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _limits(result: CheckResult, headroom: float) -> Iterator[str]:
    mismatch = match(result.profile, result.run).mismatch
    least = 0.0
    for name, metric in METRICS.items():
        of_accelerator = metric == OFFLOADED and result.budget.accelerator is not None
        if not metric.in_first_budget and not of_accelerator:
            continue
        finding = (result.findings or {}).get(name)
        why = _why_not(finding, mismatch)
        if isinstance(finding, Measurement) and not why:
            bound = _bound(finding, headroom)
            if metric.quantile is not None:  # a higher percentile's interval may end lower than a lower one's
                bound = least = max(bound, least)
            yield _limit(finding, bound, result.profile)
        elif why and metric.family is not Family.LIKENESS:
            yield f"# {name}: {_comment(why)}"


def _why_not(finding: Finding | None, mismatch: str) -> str:
    """Why the budget has no such limit, for a comment in it; empty: no comment."""
    if isinstance(finding, Unmeasured):
        return finding.reason
    return mismatch if finding is not None and finding.provenance is not Provenance.STATIC else ""


def _bound(finding: Measurement, headroom: float) -> float:
    """The limit, in base units: the end of the interval that decides a verdict, with the headroom beyond it."""
    at_most = finding.metric.direction is Direction.AT_MOST
    end = finding.high if at_most else finding.low
    reached = finding.value if end is None else end
    return reached * (1 + headroom) if at_most else reached * (1 - headroom)


def _limit(finding: Measurement, bound: float, profile: DeviceProfile) -> str:
    metric = finding.metric
    text = rewritten(metric.show(bound), bound, metric)
    limit = Limit(metric=metric, error=parse(text, metric.unit), source=Source("budget"))
    about = [f"found {metric.show(finding.value)}"]
    if finding.low is not None and finding.high is not None and finding.low != finding.high:
        about[0] += f", between {metric.show(finding.low)} and {metric.show(finding.high)}"
    about.append(finding.provenance.value + (f", {finding.basis}" if finding.basis else ""))
    if (room := _room(finding, limit.error)) is not None:
        about.append(f"{room:.0%} room")
    if doubt := next(iter((*doubts(limit, profile), *too_tight(limit, Effort()))), ""):
        return f"# {metric.name}: {text}   # {_comment('; '.join(about))}; left out: it {_comment(doubt)}"
    return f"{metric.name}: {text}   # {_comment('; '.join(about))}"


def _room(finding: Measurement, bound: float | None) -> float | None:
    """The room that a limit really leaves, as a share of the figure."""
    if not bound or not finding.value:
        return None
    return abs(bound - finding.value) / finding.value


def _quoted(text: str) -> str:
    """A path as YAML, in quotes if it could be read as something else."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in ("true", "false", "null") else json.dumps(text)


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


#: Where each CI system reads its job from, by the name that `edgecheck init --ci` takes.
CI_FILES: Mapping[str, str] = MappingProxyType(
    {"github": ".github/workflows/edgecheck.yml", "gitlab": ".gitlab-ci.yml"}
)

#: What a person must replace in a job's file: nothing is installed by name from a package index.
PLACEHOLDERS = "OWNER and the zeros"

_COMMIT = "0" * 40

_GITHUB = """\
# Checks every budget of the project on each push and pull request. Written by `edgecheck init`.
# Replace OWNER and the zeros by the repository that you have edgecheck from, and a commit in it.
# More, such as a baseline and a comment on the pull request: docs/how-to/github.md of edgecheck.
name: edgecheck
on:
  push: {{branches: [main]}}
  pull_request:
permissions: {{contents: read}}
jobs:
  budgets:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: {{persist-credentials: false}}
      - uses: OWNER/edgecheck@{commit}
        with:
          {target}
          comment: "false"   # "true" needs the permission pull-requests: write
          format: html=report.html
      - if: always()
        uses: actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1
        with: {{name: report, path: report.html}}
"""

_GITLAB = """\
# Checks every budget of the project in each merge request. Written by `edgecheck init`.
# Replace OWNER and the zeros by the project that you have edgecheck from, and a commit in it.
# More, such as a baseline and a comment on the merge request: docs/how-to/gitlab.md of edgecheck.
include:
  - project: OWNER/edgecheck
    ref: "{commit}"
    file: templates/edgecheck.gitlab-ci.yml

edgecheck:
  variables:
    EDGECHECK_PIP: edgecheck-ml[tflite,onnx] @ git+https://gitlab.com/OWNER/edgecheck@{commit}
    {target}
"""


def ci_file(system: str, *, emulated: bool) -> str:
    """The job's file.

    Args:
        system: A key of `CI_FILES`.
        emulated: Whether the devices are emulated there; else only limits that are read from files are decided.

    Raises:
        KeyError: the system is unknown.
    """
    if system == "github":
        target = "target: qemu        # emulates the devices" if emulated else 'emulator: "false"   # files only'
        return _GITHUB.format(commit=_COMMIT, target=target)
    target = "EDGECHECK_TARGET: qemu   # emulates the devices" if emulated else 'EDGECHECK_PACKAGES: ""   # files only'
    return {"gitlab": _GITLAB}[system].format(commit=_COMMIT, target=target)


def project_file(targets: Mapping[str, str]) -> str:
    """`edgecheck.yaml`, with the addresses of the devices that have one."""
    lines = [
        "# What holds for every edgecheck command in this folder and below.",
        "# edgecheck budget lint checks this file; edgecheck budget schema --project prints what it may contain.",
        "budgets: budgets             # files, folders or patterns",
        "# profiles: device_profiles  # your own devices: edgecheck devices probe ssh://… --save ID",
    ]
    if targets:
        lines += ["targets:", *(f"  {device}: {address}" for device, address in targets.items())]
    else:
        lines += [
            "# targets:                   # where each device is",
            "#   raspberry-pi-4-2gb: ssh://pi@raspberrypi.local",
        ]
    return "\n".join(lines) + "\n"
