"""The accelerators that a model can run on besides the CPU: a module for each, with four functions.

`available` says why it cannot be used here, `options` how the runtime is asked for it, `proof` what really ran there,
and `memory` what a process takes of its memory. `engines` puts them together.
"""

import importlib
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# By provider: its module, and the formats that it runs. A delegate is given by its path, so it has no name.
MODULES = {
    "cuda": ("cuda", ("onnx",)),
    "tensorrt": ("tensorrt", ("onnx",)),
    "openvino": ("openvino", ("onnx",)),
    "nnapi": ("nnapi", ("onnx",)),
    "xnnpack": ("xnnpack", ("tflite",)),
    "gpu": ("gpu", ("tflite",)),
    "edgetpu": ("edgetpu", ("tflite",)),
}
_DELEGATE = ("delegate", ("tflite",))
_IS_DELEGATE = re.compile(r"/\S+|[\w.+-]+\.so(\.\d+)*")

# Those that can keep what they compile.
CACHING = ("tensorrt", "openvino")

# Nodes left behind that an event names; a model may have tens of thousands.
MOST_LEFT = 2000


class Node(NamedTuple):
    """A node that the accelerator left behind: what ran it instead, and why where the runtime says so."""

    type: str
    name: str
    provider: str
    reason: str = ""


class Proof(NamedTuple):
    """What the runtime says about who runs a model's nodes.

    `accelerator` is what the runtime calls it, `taken` of `total` nodes run there, `left` are the others, and `source`
    says who says so.
    """

    accelerator: str
    taken: int
    total: int
    left: List[Node]
    source: str

    def event(self) -> Dict[str, Any]:
        """The fields of the `placement` event."""
        left = [dict(node._asdict()) for node in self.left[:MOST_LEFT]]
        fields = {"accelerator": self.accelerator, "taken": self.taken, "total": self.total}
        return dict(fields, left=left, proof=self.source)


class Asked(NamedTuple):
    """What a job asks for; `cache` is a folder for what the accelerator compiles, empty for none."""

    provider: str
    precision: Optional[str]
    threads: int
    cache: str = ""


def doubts(asked: Dict[str, Any], form: str) -> List[str]:
    """What is wrong with a job's `accelerator`; empty if nothing is."""
    found = _row(asked["provider"])
    if found is None:
        return ["there is no accelerator %r" % asked["provider"]]
    if form not in found[1]:
        return ["%s does not run .%s" % (asked["provider"], form)]
    return []


def module(provider: str) -> Any:
    """The module of an accelerator, which a job has named."""
    found = _row(provider)
    if found is None:
        raise ValueError("there is no accelerator %r" % provider)
    return importlib.import_module("edgecheck_agent.accelerators." + found[0])


def _row(provider: str) -> Optional[Tuple[str, Tuple[str, ...]]]:
    found = MODULES.get(provider)
    if found is None and _IS_DELEGATE.match(provider):
        return _DELEGATE
    return found
