"""Opens a model and makes what it is fed: the samples, else seeded random values, in the shapes that were asked for."""

import time
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from edgecheck_agent import feeding, refusals, reporting, timing

Feeds = List[Dict[str, Any]]


class Plan(NamedTuple):
    """The shape of every input, the feeds where there are samples, and the inputs of which dimensions were guessed."""

    shapes: Dict[str, Tuple[int, ...]]
    feeds: Feeds
    guessed: List[feeding.Input]


def opened(spec: Dict[str, Any], engine: Any, given: Dict[str, Any], report: reporting.Report) -> timing.Turns:
    """The model, loaded and fed, and its phase told; `given` are the samples by name, or nothing.

    Raises:
        refusals.Refused: the file, its operators, the samples or the shapes do not do.
    """
    refusals.check_file(spec["model"], spec["format"])
    start = time.perf_counter()
    with refusals.translated():
        model = engine.open(spec["model"])
    opening_s = time.perf_counter() - start
    plan = planned(spec, model.inputs, given)
    advice = feeding.advice(plan.guessed)
    report.send("inputs", inputs=[_told(one, plan) for one in model.inputs], advice=advice)
    start = time.perf_counter()
    with refusals.translated(advice):
        model.prepare(plan.shapes)
    report.phase("model-loaded", load_s=opening_s + time.perf_counter() - start)
    feeds = plan.feeds or [_random(model.inputs, plan.shapes, spec["seed"])]
    model.feed(feeds[0])
    return timing.Turns(model, feeds, advice, doubtful=any(None in one.dims[1:] for one in plan.guessed))


def again(spec: Dict[str, Any], engine: Any, turns: timing.Turns) -> Any:
    """The same model once more, as it is before its first inference."""
    with refusals.translated(turns.advice):
        model = engine.open(spec["model"])
        model.prepare({name: value.shape for name, value in turns.feeds[0].items()})
    return model


def planned(spec: Dict[str, Any], inputs: Sequence[feeding.Input], given: Dict[str, Any]) -> Plan:
    """Samples decide the shapes; without them `inputs` of the job does, then the model, then 1."""
    feeds = _samples(inputs, given)
    wanted = feeding.by_input(inputs, spec["inputs"], "inputs")
    if feeds:
        wanted = {name: value.shape for name, value in feeds[0].items()}
    guessed = [one for one in inputs if None in one.dims and one.name not in wanted]
    return Plan(feeding.shapes(inputs, wanted), feeds, guessed)


def _samples(inputs: Sequence[feeding.Input], given: Dict[str, Any]) -> Feeds:
    if not given:
        return []
    if len(inputs) == len(given) == 1:
        named = {inputs[0].name: next(iter(given.values()))}
    else:
        named = feeding.by_input(inputs, given, "samples")
    missing = [one.label for one in inputs if one.name not in named]
    if missing:
        raise refusals.Refused("wrong-sample", "the samples have nothing for input %s" % missing[0])
    count = len(next(iter(named.values())))
    return [{one.name: feeding.fitted(one, named[one.name][at]) for one in inputs} for at in range(count)]


def _random(inputs: Sequence[feeding.Input], shapes: Dict[str, Tuple[int, ...]], seed: int) -> Dict[str, Any]:
    return {one.name: feeding.random(one, shapes[one.name], seed + at) for at, one in enumerate(inputs)}


def _told(one: feeding.Input, plan: Plan) -> Dict[str, Any]:
    return {
        "name": one.name,
        "dtype": "string" if one.dtype.kind in "OS" else one.dtype.name,
        "dims": list(one.dims),
        "shape": list(plan.shapes[one.name]),
        "quantization": list(one.quantization) if one.quantization else None,
        "source": "samples" if plan.feeds else "random",
    }
