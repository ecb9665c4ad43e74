"""Reads the profile that onnxruntime writes: a file in Chrome's trace format, with one event on each line."""

import json
import os
from typing import Any, Dict, Iterator, List, Optional

from edgecheck_agent import onnx_engine, refusals
from edgecheck_agent.profiling import Inference, Key, Step, short

_NODE = "_kernel_time"  # an older runtime also has _fence_before and _fence_after
_SHAPES = (("inputs", "input_type_shape"), ("outputs", "output_type_shape"))
_SIZES = (
    ("activation_bytes", "activation_size"),
    ("parameter_bytes", "parameter_size"),
    ("output_bytes", "output_size"),
)

# Operators that run the graphs in their attributes.
_CONTROL = ("If", "Loop", "Scan", "SequenceMap")

# Inputs or outputs of a node that are sent; a Concat may have hundreds.
_MOST_SHAPES = 16


class Model(onnx_engine.Model):
    """A model whose session records a profile."""

    profiler = "onnxruntime's own profile"
    keeps_profiling = False

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self._profiled = session

    def profiled(self) -> List[Inference]:
        """Every inference so far; ends the recording.

        Raises:
            refusals.Refused: the file is not there, or is cut off.
        """
        path = self._profiled.end_profiling()
        del self._profiled, self._session, self.invoke  # its memory is needed if the model is opened again
        try:
            return list(inferences(path))
        finally:
            _remove(path)


class Engine:
    """Opens models with the profiler on; it writes into `folder` when it ends."""

    def __init__(self, engine: Any, folder: str) -> None:
        self._engine = engine
        self._prefix = os.path.join(folder, "onnxruntime")

    def open(self, path: str, _signature: None = None) -> Model:
        """As `onnx_engine.Engine.open`."""
        return Model(self._engine.session(path, profile=self._prefix))


def inferences(path: str) -> Iterator[Inference]:
    """The inferences in a profile: the nodes of each come before its `model_run`.

    Raises:
        refusals.Refused: the file cannot be read, or does not end as a complete one does.
    """
    nodes: List[Dict[str, Any]] = []
    known: Dict[Key, bool] = {}
    complete = False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                event = _event(line)
                complete = complete or line.strip() == "]"
                if event is None:
                    continue
                if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_NODE):
                    nodes.append(event)
                elif event.get("name") == "model_run":
                    yield Inference(int(event["dur"]), _steps(nodes, known))
                    nodes = []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _cut_off(path, str(error)) from error
    if not complete:
        raise _cut_off(path, "its end is missing")


def _cut_off(path: str, why: str) -> refusals.Refused:
    """The refusal of a profile that is not complete, with the room on the disk that it was written to."""
    try:
        place = os.statvfs(os.path.dirname(path) or ".")
        free = place.f_bavail * place.f_frsize
    except OSError:
        free = -1
    message = "onnxruntime's profile is cut off (%s)" % why
    if 0 <= free < 1 << 20:
        message = "onnxruntime's profile is cut off: the disk of %s is full" % os.path.dirname(path)
    return refusals.Refused("no-profile", message)


def _event(line: str) -> Optional[Dict[str, Any]]:
    text = line.strip().rstrip(",")
    if text in ("", "[", "]"):
        return None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("an event is not an object")
    return value


def _steps(nodes: List[Dict[str, Any]], known: Dict[Key, bool]) -> List[Step]:
    """The nodes in the order in which they began, each with the node whose branch or loop it is in.

    A node is written when it ends: what was written before it and began later is inside it. Of what began in the same
    microsecond, that is so if it was so in another inference: `known` has which nodes are inside of others.
    """
    outer: Dict[int, int] = {}
    waiting: List[int] = []
    for at, node in enumerate(nodes):
        if node.get("args", {}).get("op_name") in _CONTROL:
            while waiting and _is_inside(nodes[waiting[-1]], node, known):
                outer[waiting.pop()] = at
        waiting.append(at)
    keys: Dict[int, Any] = {}
    seen: Dict[Any, int] = {}
    found = []
    # Of nodes that began in the same microsecond, one that is around others comes first.
    for at in sorted(range(len(nodes)), key=lambda at: (int(nodes[at]["ts"]), at not in outer.values(), at)):
        around = keys.get(outer.get(at, -1))
        step = _step(nodes[at], around, seen)
        keys[at] = step.key
        found.append(step)
    return found


def _is_inside(node: Dict[str, Any], outer: Dict[str, Any], known: Dict[Key, bool]) -> bool:
    begun, around = int(node["ts"]), int(outer["ts"])
    identity = (node["name"], node.get("args", {}).get("node_index"), outer["name"])
    if begun == around:
        return known.get(identity, True)
    known[identity] = begun > around
    return begun > around


def _step(node: Dict[str, Any], around: Any, seen: Dict[Any, int]) -> Step:
    args = node.get("args", {})
    name = node["name"][: -len(_NODE)]
    facts: Dict[str, Any] = {
        "name": short(name),
        "type": short(str(args.get("op_name", ""))),
        "provider": short(str(args.get("provider", ""))),
        "place": _whole(args.get("node_index")),
        "graph": 0,
    }
    facts.update({ours: _whole(args.get(theirs)) for ours, theirs in _SIZES})
    facts.update({ours: _shapes(args.get(theirs)) for ours, theirs in _SHAPES})
    key: Key = (around, facts["place"], name, facts["type"])
    if facts["place"] is None:  # an older runtime: operators of one name are distinguished by their order
        seen[key] = seen.get(key, 0) + 1
        key = (*key, seen[key])
    return Step(key, int(node["dur"]), around, facts)


def _whole(text: Any) -> Optional[int]:
    """A number that the file has as text; None if it is not one, or is that of a size that is not known."""
    try:
        value = int(text)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < 1 << 53 else None


def _shapes(given: Any) -> List[Any]:
    """Pairs of type and shape, from a list of objects with one key each."""
    found = []
    for one in given if isinstance(given, list) else []:
        for dtype, shape in one.items():
            found.append([str(dtype)[:32], [int(size) for size in shape][:16]])
    return found[:_MOST_SHAPES]


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass
