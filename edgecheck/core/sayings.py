"""What runtimes say about models, in a sentence, and what to do next: the same for a check, a conversion and a fit."""

from __future__ import annotations

from typing import NamedTuple

from edgecheck_agent.sayings import understood

#: By reason of a refusal: what to do about it.
_NEXT = {
    "flex-operator": "Convert the model without SELECT_TF_OPS, or to .onnx.",
    "unsupported-operator": "Build the model from operators that this runtime has, or use a runtime with this one.",
    "model-too-new": "Export the model in an older version of its format, or install a newer runtime.",
    "missing-external-data": "Copy the file with the weights next to the model.",
    "not-a-model": "Export the model again, or download it again.",
    "no-accelerator": "Install what it needs on the device, or check without `accelerator:`.",
    "unused-accelerator": "Check without `accelerator:`, or change the model's operators to some that it takes.",
    "out-of-memory": "Make the model smaller, or use a device with more memory.",
    "missing-runtime": "Install it there, or have edgecheck bring it: --bundle profile.",
    "wrong-sample": "Give --input and --samples the names and shapes of the model's inputs.",
}

#: Reasons that say nothing where a converter or its output failed: memory and damage are reported by others.
_OF_A_RUN = ("other", "not-a-model", "out-of-memory")


class Saying(NamedTuple):
    """One refusal."""

    sentence: str
    """In lower case and without a full stop: `the model's opset 40 is newer than this runtime, …`."""
    next_step: str


def known(said: str) -> Saying | None:
    """What a runtime's message means, where it is about the model; None where it is not known, or about the machine."""
    reason, sentence = understood(said)
    return None if reason in _OF_A_RUN else Saying(sentence, _NEXT[reason])


def plain(said: str) -> str:
    """A runtime's message as a sentence without a full stop, or without its noise."""
    return understood(said)[1]


def next_step(reason: str) -> str:
    """What to do about a refusal with that reason code; empty where only its message says that."""
    return _NEXT.get(reason, "")
