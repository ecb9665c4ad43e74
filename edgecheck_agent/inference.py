"""What a worker does with a loaded runtime: open the model, feed it, run it, and measure what the job is for."""

import base64
import functools
import os
import sys
import time
from typing import Any, Callable, Dict, List, Tuple, cast

import numpy as np

from edgecheck_agent import events, inputs, refusals, runtimes, timing

# Memory samples that steady inferences last for, at least.
SAMPLES = 3

# Bytes of samples that latency is measured on, in turn.
ROOM = 64 << 20

# What returns the outputs of an inference.
Outputs = Callable[[], List[inputs.Output]]

# Characters of an output in one event, a multiple of 4: each is base64 by itself.
PIECE = 1 << 20


def run(spec: Dict[str, Any], loaded: runtimes.Loaded, report: events.Report) -> timing.Turns:
    """Load the model, run the first inference, then what `spec["purpose"]` asks for.

    Returns the model's holder: dropping it can crash the process, which is to happen after the report.

    Raises:
        refusals.Refused: the runtime does not take the model, or the samples do not fit it.
    """
    given = inputs.read(spec["samples"], *_needed(spec)) if spec["samples"] else {}
    report.phase("runtime-ready")
    engine = _engine(spec, loaded)
    meter = _meter(spec)
    turns = opened(spec, engine, given, report)
    _run_first(turns, report, made_up=not given)
    if meter is not None:
        _send_memory(meter, report)
    if spec["accelerator"]:
        from edgecheck_agent.accelerators import engines  # other runs do not carry what it imports

        engines.prove(spec, turns.model, report)
    if spec["purpose"] == "profile":
        from edgecheck_agent import profiling  # other runs do not carry what it imports

        reopen = functools.partial(_opened_again, spec, engine, turns)
        turns = profiling.profile(turns, reopen, spec["profile"], report)
        report.phase("steady")
        if turns.doubtful:
            report.send("note", code="guessed-dimension", message=turns.advice)
    elif spec["purpose"] not in ("load", "cached-load"):
        find = _measured(spec, engine, turns, report)
        report.phase("steady")
        _note_doubts(turns, find, report)
    return turns


def opened(spec: Dict[str, Any], engine: Any, given: Dict[str, Any], report: events.Report) -> timing.Turns:
    """Open the model, plan its inputs, report the phase, and feed it. `given` are the samples by name, or empty.

    Raises:
        refusals.Refused: the file, its operators, the samples or the shapes are not accepted.
    """
    refusals.check_file(spec["model"], spec["format"])
    start = time.perf_counter()
    with refusals.translated():
        model = engine.open(spec["model"], spec["signature"])
    opening_s = time.perf_counter() - start
    plan = inputs.planned(spec, model.inputs, given)
    advice = inputs.advice(plan.guessed)
    report.send("inputs", inputs=[inputs.described(one, plan) for one in model.inputs], advice=advice)
    start = time.perf_counter()
    with refusals.translated(advice):
        model.prepare(plan.shapes)
    report.phase("model-loaded", load_s=opening_s + time.perf_counter() - start)
    feeds = plan.feeds or [inputs.random_feed(model.inputs, plan.shapes, spec["seed"])]
    model.feed(feeds[0])
    return timing.Turns(model, feeds, advice, doubtful=any(None in one.dims[1:] for one in plan.guessed))


def _run_first(turns: timing.Turns, report: events.Report, *, made_up: bool) -> None:
    """Run the first inference, and report the phase; raises `refusals.Refused` if the runtime does not take it."""
    start = time.perf_counter()
    with refusals.translated(turns.advice, made_up=made_up):
        turns.model.invoke()
    turns.first_s = time.perf_counter() - start
    report.phase("first-inference", first_s=turns.first_s)


def _meter(spec: Dict[str, Any]) -> Any:
    """Reads the memory on an accelerator; None where there is none, and where times are taken."""
    if spec["purpose"] != "memory" or not spec["accelerator"]:
        return None
    from edgecheck_agent import accelerators  # other runs do not carry what it imports

    return accelerators.module(spec["accelerator"]["provider"]).memory(os.getpid(), spec["accelerator"]["provider"])


def _send_memory(meter: Any, report: events.Report) -> None:
    """Send what was taken on the accelerator since the meter was made, if anybody knows."""
    taken = meter.grown()
    if taken is not None:
        report.send("accelerator-memory", **taken)


def _engine(spec: Dict[str, Any], loaded: runtimes.Loaded) -> Any:
    """What opens the model: on the accelerator if one was asked for; with the profiler on for the profiling pass.

    Raises:
        refusals.Refused: the runtime has no profiler.
    """
    if spec["accelerator"]:
        from edgecheck_agent.accelerators import engines  # other runs do not carry what it imports

        return engines.engine(spec, loaded)
    if spec["purpose"] != "profile":
        return loaded.engine
    if spec["format"] == "onnx":
        from edgecheck_agent import onnx_profile

        return onnx_profile.Engine(loaded.engine, spec["folder"])
    from edgecheck_agent import litert_profile

    return litert_profile.Engine(loaded.engine, loaded.version, spec["threads"])


def _opened_again(spec: Dict[str, Any], engine: Any, turns: timing.Turns) -> timing.Turns:
    model = reopened(spec, engine, turns)
    model.feed(turns.feeds[0])
    return timing.Turns(model, turns.feeds, turns.advice, doubtful=turns.doubtful)


def reopened(spec: Dict[str, Any], engine: Any, turns: timing.Turns) -> Any:
    """The same model, opened again: as it is before its first inference."""
    with refusals.translated(turns.advice):
        model = engine.open(spec["model"], spec["signature"])
        model.prepare({name: value.shape for name, value in turns.feeds[0].items()})
    return model


def _needed(spec: Dict[str, Any]) -> Tuple[int, int]:
    """The most samples, and bytes of them, that this process uses: its memory must not grow with the others."""
    if spec["purpose"] == "outputs":
        return sys.maxsize, sys.maxsize
    most = {"load": 1, "cached-load": 1}
    if spec["memory"]:
        most["memory"] = most["deterministic"] = spec["memory"]["inferences"] + 1
    return most.get(spec["purpose"], sys.maxsize), ROOM


def _measured(spec: Dict[str, Any], engine: Any, turns: timing.Turns, report: events.Report) -> Outputs:
    """Do what the process was started for. Returns a function that returns the model's outputs."""
    if spec["purpose"] == "deterministic":  # an inference takes seconds there, so the last one's outputs are used
        return functools.partial(turns.model.named, timing.agree(turns, spec["deterministic"], report))
    if spec["purpose"] == "latency" and spec["latency"]["sustained_s"]:
        from edgecheck_agent import sustaining  # other runs do not carry what it imports

        sustaining.sustain(turns, spec["latency"], report)
    elif spec["purpose"] == "latency":
        timing.measure(turns, dict(spec["latency"], threads=spec["threads"]), report)
    elif spec["purpose"] == "memory":
        _repeat(turns, spec["memory"])
    else:
        _send_outputs(spec, engine, turns, report)
    return cast("Outputs", turns.model.outputs)


def _repeat(turns: timing.Turns, plan: Dict[str, Any]) -> None:
    """Run the planned number of inferences, for long enough that the sampler sees some of them."""
    until = time.monotonic() + SAMPLES * plan["interval_s"]
    count = 0
    with refusals.translated(turns.advice):
        while count < plan["inferences"] or time.monotonic() < until:
            turns.next()
            turns.model.invoke()
            count += 1


def _send_outputs(spec: Dict[str, Any], engine: Any, turns: timing.Turns, report: events.Report) -> None:
    """Run every sample, each on a model that has seen nothing before it, and send the outputs.

    On an accelerator, each runs several times: some return something else for the same inputs.
    """
    from edgecheck_agent import repeats  # other runs do not carry it

    stateful = turns.model.keeps_state()
    spread = repeats.Spread()
    for at, feed in enumerate(turns.feeds):
        for again in range(repeats.RUNS if spec["accelerator"] else 1):
            model = reopened(spec, engine, turns) if stateful else turns.model
            with refusals.translated(turns.advice):
                model.forget()
                model.feed(feed)
                found = model.outputs()
            spread.add(at, found)
            for one in found if not again else ():
                _send_output(report, encoded(one.value), sample=at, name=one.name, quantization=one.quantization)
    if spread.words():
        report.send("note", code="outputs-vary", message=spread.words())


def _send_output(report: events.Report, fields: Dict[str, Any], **about: Any) -> None:
    """Send an output: in several events if one line would be too long."""
    text = fields.get("base64", "")
    pieces = max(1, -(-len(text) // PIECE))
    for piece in range(pieces):
        part = {"base64": text[piece * PIECE : (piece + 1) * PIECE]} if "base64" in fields else {}
        report.send("output", **about, **dict(fields, **part), piece=piece, pieces=pieces)


def _note_doubts(turns: timing.Turns, find: Outputs, report: events.Report) -> None:
    """Send what makes the figures doubtful. Called after the last phase, so that the check costs nothing measured."""
    if turns.doubtful:
        report.send("note", code="guessed-dimension", message=turns.advice)
    with refusals.translated(turns.advice):
        found = find()
    names = [one.name for one in found if has_nan(one.value)]
    if names:
        report.send("note", code="nan-output", message="output %s holds NaN" % ", ".join(names))


def encoded(value: Any) -> Dict[str, Any]:
    """An output as JSON.

    `dtype`, `shape` and `base64` (little-endian, C order) of a tensor; `values` of text, sequences and maps.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        return {
            "dtype": value.dtype.name,
            "shape": list(value.shape),
            "base64": base64.b64encode(plain.tobytes()).decode(),
        }
    if isinstance(value, np.ndarray):
        texts = [_plain(item) for item in value.reshape(-1).tolist()]
        return {"dtype": "string", "shape": list(value.shape), "values": texts}
    return {"dtype": "other", "shape": [], "values": _plain(value)}


def has_nan(value: Any) -> bool:
    """Whether a floating-point tensor holds a NaN."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc" and bool(np.isnan(value).any())


def _plain(value: Any) -> Any:
    """Lists; maps as lists of pairs; numbers that JSON lacks, by their names."""
    if isinstance(value, dict):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value
