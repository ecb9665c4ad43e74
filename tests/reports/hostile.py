"""A report whose names, paths and messages hold all that a format could trip over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from edgecheck.core.budget import Model, Variant
from edgecheck.core.caveats import Caveat
from edgecheck.core.limits import Source
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status
from tests.reports.sample import PROFILE, SEEN, TILES, result

TRICKS = (
    "<script>alert(1)</script>",
    "</details><h1>x",
    "]]>&amp;&#x41;",
    "\x1b[2J\x9b31m\x07",
    "\x00\x01\x0b\x1f\ufffe\uffff",
    "\udc80\ud800",
    "a\nb\r\n::error file=x,line=1::owned\n::stop-commands::t",
    "100%0A::set-output name=x::y",
    "| a | b |\n| --- |",
    "[click](https://example.invalid/x) ![i](//x) www.example.invalid",
    "`code` **bold** _it_ ~~s~~ $x$",
    "@everyone #1 GH-1",
    "\u202egnp.exe \u2028 \u2066",
    "--> <!-- -->",
    "' onmouseover='x' \" onload=\"y",
    "{{ 7 * 7 }} {% raw %} {0}",
)

#: What a program that reads bytes line by line could obey; no report has it, whatever is in its names.
STEERING = frozenset("\x1b\x9b\x07\x00\x01\x0b\x1f\x7f\ufffe\uffff\u2028\u2029\u202e\u2066") | frozenset(
    map(chr, range(0xD800, 0xE000))
)


def hostile_result(trick: str) -> CheckResult:
    checked = result(SEEN)
    failing, *others = checked.verdicts
    source = Source("budget", f"{trick}.yaml", 3)
    run = replace(SEEN, target=trick, runtime=replace(SEEN.runtime, name=trick))  # type: ignore[type-var]
    assert checked.artifact is not None
    return replace(
        checked,
        budget=replace(checked.budget, path=f"{trick}.yaml", model=Model(PurePath(f"{trick}.onnx"))),
        variant=Variant(trick),
        profile=replace(PROFILE, id=trick, name=trick),
        target=trick,
        artifact=replace(checked.artifact, sha256=trick, route=trick, notes=(trick,)),
        tiles=replace(TILES, name=(trick,) * 5, group=(trick,) * 5, detail=(trick,) * 5),
        run=run,
        caveats=(Caveat(trick, trick, trick),),
        problem=trick,
        hint=trick,
        verdicts=(
            replace(failing, limit=replace(failing.limit, source=source), status=Status.FAIL, reason=trick),
            *others,
        ),
    )


def hostile_report(*tricks: str) -> Report:
    return Report(
        results=tuple(map(hostile_result, tricks)),
        version="0.1.0",
        host="\n".join(tricks),
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )
