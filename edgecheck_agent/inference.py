"""What a worker does with a loaded runtime: open the model, run it, and go on for the purpose at hand."""

import functools
import sys
import time
from typing import Any, Callable, Dict, Tuple, cast

from edgecheck_agent import answers, opening, refusals, reporting, runtimes, samples, timing

SAMPLES = 3  # of the memory of steady inferences, at least
ROOM = 64 << 20  # bytes of samples that latency is measured on, in turn


def run(spec: Dict[str, Any], loaded: runtimes.Loaded, report: reporting.Report) -> timing.Turns:
    """Load the model, run the first inference, then what `spec["purpose"]` asks for.

    Gives back what holds the model: letting go of it can crash the process, which comes after the report then.

    Raises:
        refusals.Refused: the runtime does not take the model, or the samples do not fit it.
    """
    given = samples.read(spec["samples"], *_needed(spec)) if spec["samples"] else {}
    report.phase("runtime-ready")
    turns = opening.opened(spec, loaded.engine, given, report)
    start = time.perf_counter()
    with refusals.translated(turns.advice):
        turns.model.invoke()
    report.phase("first-inference", first_s=time.perf_counter() - start)
    if spec["purpose"] != "load":
        find = _go_on(spec, loaded.engine, turns, report)
        report.phase("steady")
        _doubt(turns, find, report)
    return turns


def _go_on(spec: Dict[str, Any], engine: Any, turns: timing.Turns, report: reporting.Report) -> Callable[[], Any]:
    """Do what the process is there for; a function that gives the model's answers afterwards."""
    if spec["purpose"] == "deterministic":  # an inference takes seconds there: the last one's answers will do
        return functools.partial(turns.model.named, timing.agree(turns, spec["deterministic"], report))
    if spec["purpose"] == "latency":
        timing.measure(turns, spec["latency"], report)
    elif spec["purpose"] == "memory":
        _repeat(turns, spec["memory"])
    else:
        _outputs(spec, engine, turns, report)
    return cast("Callable[[], Any]", turns.model.answers)


def _needed(spec: Dict[str, Any]) -> Tuple[int, int]:
    """How many samples this process will use, and how many bytes of them: its memory must not grow without need."""
    if spec["purpose"] == "outputs":
        return sys.maxsize, sys.maxsize
    most = {"load": 1}
    if spec["memory"]:
        most["memory"] = most["deterministic"] = spec["memory"]["inferences"] + 1
    return most.get(spec["purpose"], sys.maxsize), ROOM


def _repeat(turns: timing.Turns, plan: Dict[str, Any]) -> None:
    """So many inferences, and for so long that the sampler sees some of them."""
    until = time.monotonic() + SAMPLES * plan["interval_s"]
    count = 0
    with refusals.translated(turns.advice):
        while count < plan["inferences"] or time.monotonic() < until:
            turns.next()
            turns.model.invoke()
            count += 1


def _outputs(spec: Dict[str, Any], engine: Any, turns: timing.Turns, report: reporting.Report) -> None:
    """Every sample once, each on a model that has seen nothing before it."""
    stateful = turns.model.keeps_state()
    for at, feed in enumerate(turns.feeds):
        model = opening.again(spec, engine, turns) if stateful else turns.model
        with refusals.translated(turns.advice):
            model.forget()
            model.feed(feed)
            found = model.answers()
        for name, value, quantization in found:
            report.send("output", sample=at, name=name, quantization=quantization, **answers.encoded(value))


def _doubt(turns: timing.Turns, find: Callable[[], Any], report: reporting.Report) -> None:
    """Say what makes the figures doubtful; after the last phase, so that looking costs nothing that is measured."""
    if turns.doubtful:
        report.send("note", code="guessed-dimension", message=turns.advice)
    with refusals.translated(turns.advice):
        found = find()
    names = [name for name, value, _ in found if answers.has_nan(value)]
    if names:
        report.send("note", code="nan-output", message="output %s holds NaN" % ", ".join(names))
