"""Reads a JSON report back, so that it can be rendered in another format or compared."""

from __future__ import annotations

import json
import math
import re
from pathlib import PurePath
from typing import Any, NoReturn

from edgecheck.core.accelerator import Accelerator
from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.caveats import Caveat
from edgecheck.core.device import Capacity, Cpu, DeviceProfile, Identity
from edgecheck.core.finding import Finding, Measurement, Unmeasured
from edgecheck.core.limits import SUFFIX, Limit, OnUnknown, Source, against_baseline
from edgecheck.core.metrics import METRICS, Direction, Metric, Provenance
from edgecheck.core.operators import OperatorProfile
from edgecheck.core.report import CheckResult, LostBoard, Report, Tiles, Tried, WayOut
from edgecheck.core.run import Run
from edgecheck.core.units import Unit
from edgecheck.core.verdict import Status, Verdict, rule_of
from edgecheck.errors import UsageError
from edgecheck.reports.json_report import SCHEMA_VERSION
from edgecheck.reports.shapes import ShapeError, built, listed, mapping, scalar

_AGAIN = "Write it again: edgecheck check … --format json=FILE"


def read_report(text: str, name: str) -> Report:
    """The report in `text`.

    What JSON leaves out stays empty: the profile's hardware, the budget's other devices. No format uses it.

    Args:
        text: As `--format json` writes it.
        name: Of the file, for messages.

    Raises:
        UsageError: it is empty, cut off, not a report, or of another version.
    """
    if not text.strip():
        raise UsageError(f"{name} is empty.", _AGAIN)
    data = _json(text, name)
    if not isinstance(data, dict) or data.get("schema") != "edgecheck-report":
        raise UsageError(f"{name} is JSON, but not a report of edgecheck.", "Name a file written by --format json.")
    version = data.get("version")
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{name} is a report of version {version!r}; this edgecheck reads version {SCHEMA_VERSION}.",
            "Write it again with this edgecheck, or read it with the one that wrote it.",
        )
    try:
        return _report(data)
    except ShapeError as error:
        raise UsageError(f"{name} is damaged: {error}.", _AGAIN) from error


def _json(text: str, name: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{name} is not valid JSON: {why}.", _AGAIN) from error


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _report(data: dict[str, Any]) -> Report:
    return Report(
        results=tuple(_check(one, f"checks[{at}]") for at, one in enumerate(listed(data.get("checks"), "checks"))),
        version=_text(data, "edgecheck", ""),
        host=_text(data, "host", ""),
        started=_text(data, "started", ""),
        seconds=_number(data, "seconds", ""),
        shard=_shard(data),
        folder=scalar(str, data.get("folder", ""), "folder"),
        boards={
            device: tuple(str(scalar(str, one, f"boards.{device}")) for one in listed(each, f"boards.{device}"))
            for device, each in mapping(data.get("boards", {}), "boards").items()
        },
    )


def _shard(data: dict[str, Any]) -> str:
    text = str(scalar(str, data.get("shard", ""), "shard"))
    if text and not re.fullmatch(r"[0-9]{1,6}/[0-9]{1,6}", text):
        raise ShapeError(f"shard: found {text[:40]!r}; expected which of how many, as in 2/4")
    return text


def _check(raw: object, place: str) -> CheckResult:
    data = mapping(raw, place)
    figures = mapping(data.get("figures"), f"{place}.figures")
    verdicts = listed(data.get("verdicts"), f"{place}.verdicts")
    artifact, run = data.get("artifact"), data.get("run")
    return CheckResult(
        budget=_budget(data, place),
        variant=_variant(_text(data, "variant", place)),
        profile=_profile(data, place),
        target=_text(data, "target", place),
        verdicts=tuple(_verdict(one, f"{place}.verdicts[{at}]") for at, one in enumerate(verdicts)),
        artifact=None if artifact is None else built(Artifact, artifact, f"{place}.artifact"),
        run=None if run is None else built(Run, run, f"{place}.run"),
        findings={
            metric: _measurement(
                _metric(metric, found, f"{place}.figures.{metric}"), found, f"{place}.figures.{metric}"
            )
            for metric, found in figures.items()
        },
        caveats=built(tuple[Caveat, ...], data.get("caveats"), f"{place}.caveats"),
        problem=_text(data, "problem", place),
        hint=_text(data, "hint", place),
        seconds=_number(data, "seconds", place),
        ways_out=built(tuple[WayOut, ...], data.get("ways_out", []), f"{place}.ways_out"),
        operators=built(OperatorProfile, data["operators"], f"{place}.operators") if data.get("operators") else None,
        tried=built(tuple[Tried, ...], data.get("tried", []), f"{place}.tried"),
        tiles=_tiles(data.get("tiles"), f"{place}.tiles"),
        fingerprint=scalar(str, data.get("fingerprint", ""), f"{place}.fingerprint"),
        lost_boards=built(tuple[LostBoard, ...], data.get("lost_boards", []), f"{place}.lost_boards"),
    )


def _tiles(raw: object, place: str) -> Tiles | None:
    if raw is None:
        return None
    try:
        return built(Tiles, raw, place)
    except ShapeError:
        raise
    except ValueError as error:
        raise ShapeError(f"{place}: {error}") from error


def _budget(data: dict[str, Any], place: str) -> Budget:
    path, model = _text(data, "budget", place), PurePath(_text(data, "model", place))
    threads, wanted = scalar(int, data.get("threads", 1), f"{place}.threads"), data.get("accelerator")
    return Budget(
        name=PurePath(path).stem if path else model.name,
        path=path,
        model=Model(model),
        variants=(_variant(_text(data, "variant", place)),),
        format="",
        samples=None,
        inputs={},
        threads=threads,
        effort=Effort(),
        devices=(),
        accelerator=None if wanted is None else built(Accelerator, wanted, f"{place}.accelerator"),
    )


def _variant(text: str) -> Variant:
    match = re.fullmatch(r"(.+) pruned (\d+)%", text)
    return Variant(match[1], int(match[2]) / 100) if match else Variant(text)


def _profile(data: dict[str, Any], place: str) -> DeviceProfile:
    device = _text(data, "device", place)
    return DeviceProfile(
        id=device,
        name=scalar(str, data.get("device_name", device), f"{place}.device_name"),
        kind="",
        soc="",
        identity=Identity(),
        cpu=Cpu(core="", count=0, clock=0.0),
        ram=Capacity(0, 0),
        storage=Capacity(0, 0),
        limits=(),
        python="",
        runtimes={},
    )


def _verdict(raw: object, place: str) -> Verdict:
    data = mapping(raw, place)
    bounds = mapping(data.get("limit"), f"{place}.limit")
    metric = _metric(_text(data, "metric", place), bounds, f"{place}.limit")
    limit = Limit(
        metric=metric,
        error=_maybe(bounds, "error", f"{place}.limit"),
        warn=_maybe(bounds, "warn", f"{place}.limit"),
        source=built(Source, bounds.get("source"), f"{place}.limit.source"),
        on_unknown=built(OnUnknown, bounds.get("on_unknown"), f"{place}.limit.on_unknown"),
    )
    status, reason = built(Status, data.get("status"), f"{place}.status"), _text(data, "reason", place)
    found = data.get("found")
    finding: Finding = Unmeasured(metric, reason) if found is None else _measurement(metric, found, f"{place}.found")
    ignored = scalar(bool, data.get("ignored"), f"{place}.ignored")
    rule = OnUnknown.IGNORE if ignored else rule_of(status, reason)
    base = data.get("baseline")
    return Verdict(
        limit=limit,
        status=status,
        finding=finding,
        bound=_bound(limit, status, rule, place),
        reason=reason,
        counted_as=rule,
        baseline=None if base is None else _measurement(metric, base, f"{place}.baseline"),
    )


def _bound(limit: Limit, status: Status, rule: OnUnknown | None, place: str) -> float:
    """The bound that the status refers to, by the rules of `core.verdict.judge`."""
    of_warning = status is Status.WARN and rule is not OnUnknown.WARN
    first, second = (limit.warn, limit.error) if of_warning else (limit.error, limit.warn)
    bound = second if first is None else first
    if bound is None:
        raise ShapeError(f"{place}.limit: there is neither an error nor a warn bound")
    return bound


def _metric(name: str, described: object, place: str) -> Metric:
    """The metric; one unknown to this version is made from its description in the report."""
    if name in METRICS:
        return METRICS[name]
    if name.removesuffix(SUFFIX) in METRICS:
        return against_baseline(METRICS[name.removesuffix(SUFFIX)])
    data = mapping(described, place)
    direction = data.get("direction", Direction.AT_MOST.value)
    unit = built(Unit, data.get("unit"), f"{place}.unit")
    return Metric(
        name=name,
        title=name,
        unit=unit,
        family=None,
        direction=built(Direction, direction, f"{place}.direction"),
    )


def _measurement(metric: Metric, raw: object, place: str) -> Measurement:
    data = mapping(raw, place)
    value = _maybe(data, "value", place)
    return Measurement(
        metric=metric,
        value=math.nan if value is None else value,
        provenance=built(Provenance, data.get("provenance"), f"{place}.provenance"),
        low=_maybe(data, "low", place),
        high=_maybe(data, "high", place),
        count=scalar(int, data.get("count"), f"{place}.count"),
        basis=_text(data, "basis", place),
        span=_maybe(data, "span", place),
        contended=str(scalar(str, data.get("contended", ""), f"{place}.contended")),
        unwaited=_maybe(data, "unwaited", place),
    )


def _text(data: dict[str, Any], key: str, place: str) -> str:
    return str(scalar(str, data.get(key), f"{place}.{key}".lstrip(".")))


def _number(data: dict[str, Any], key: str, place: str) -> float:
    number: float = scalar(float, data.get(key), f"{place}.{key}".lstrip("."))
    return number


def _maybe(data: dict[str, Any], key: str, place: str) -> float | None:
    return None if data.get(key) is None else _number(data, key, place)
