"""Why a runtime did not take a model: a reason code and one plain sentence, from whatever the runtime said."""

import contextlib
import os
import re
from typing import Iterator, Tuple

# What runtimes say, the first match first; groups of the pattern go into the sentence.
_SAYINGS = (
    (
        "flex-operator",
        r"Select TensorFlow op.*?Node number \d+ \(Flex(\w+)\)",
        "the operator {0} needs TensorFlow itself (Flex), which is not on the device: convert without SELECT_TF_OPS",
    ),
    (
        "flex-operator",
        r"Select TensorFlow op|custom op: Flex",
        "the model has operators that need TensorFlow itself (Flex): convert without SELECT_TF_OPS",
    ),
    (
        "unsupported-operator",
        r"unresolved custom op: edgetpu-custom-op",
        "the operator edgetpu-custom-op was compiled for an Edge TPU: check the .tflite before that",
    ),
    (
        "unsupported-operator",
        r"unresolved custom op: ([\w.:/-]*\w)",
        "the custom operator {0} is not in this runtime",
    ),
    (
        "unsupported-operator",
        r"op for builtin opcode '(\w+)' version '(\d+)'",
        "operator {0} in version {1} is newer than this runtime",
    ),
    (
        "unsupported-operator",
        r"builtin_code out of range: (\d+)",
        "operator number {0} is newer than this runtime",
    ),
    (
        "unsupported-operator",
        r"(\S+):(\w+)\(-?\d+\) is not a registered function/op",
        "the operator {1} of domain {0} is not in this runtime",
    ),
    (
        "unsupported-operator",
        r"No Op registered for (\w+) with domain_version of (\d+)",
        "opset {1} has no operator {0}",
    ),
    (
        "unsupported-operator",
        r"Could not find an implementation for (?:the node )?\S*?(\w+)\(\d+\)",
        "this runtime has no implementation of operator {0} for these types",
    ),
    (
        "unsupported-operator",
        r"No opset import for domain '(.*?)'",
        "the operators of domain {0} are not in this runtime",
    ),
    (
        "model-too-new",
        r"Opset (\d+) is under development.*?till opset (\d+)",
        "the model's opset {0} is newer than this runtime, which goes up to {1}",
    ),
    (
        "model-too-new",
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        "the model's IR version {0} is newer than this runtime, which goes up to {1}",
    ),
    (
        "missing-external-data",
        r"escapes model directory.*?External data path: \"(.*?)\"",
        "the model names {0} for its weights, which is outside the model's folder",
    ),
    (
        "missing-external-data",
        r"External data path does not exist: \"(?:.*/)?(.*?)\"",
        "the file {0} with the model's weights is not next to it",
    ),
    (
        "missing-external-data",
        r"[Ee]xternal (?:initializer|data)|cannot get file size|GetFileLength for",
        "the file with the model's weights is missing next to it, or shorter than the model says",
    ),
    (
        "out-of-memory",
        r"bad_alloc|Failed to allocate memory|[Cc]annot allocate memory|Unable to allocate",
        "there was not enough memory for the model",
    ),
    (
        "not-a-model",
        r"Protobuf parsing failed|No graph was found|valid [Ff]lat[Bb]uffer|mmap of size 0|allocation is null",
        "the file is damaged, cut short, or not a model of this format",
    ),
)

_NOISE = (
    r"^\[ONNXRuntimeError\] : -?\d+ : \w+ : ",
    r"^Load model from .*? failed: ?",
    r"^Exception during initialization: ?",
    r"\S+\.(?:cc|cpp|h):\d+ [^.]*\) ",  # a line of the runtime's source, with the C++ signature
)
_LONGEST = 300

_HEADS = (
    (
        b"version https://git-lfs.github.com/spec",
        "it is a git-lfs pointer; `git lfs pull` gets the model itself",
    ),
    (b"<!doctype html", "it is a web page; the download did not get the model"),
    (b"<html", "it is a web page; the download did not get the model"),
)


# Every reason of an `end` event.
REASONS = (
    "not-a-model",
    "unsupported-operator",
    "flex-operator",
    "model-too-new",
    "missing-external-data",
    "open-dimension",
    "wrong-sample",
    "made-up-input",
    "input-type",
    "missing-runtime",
    "out-of-memory",
    "agent-fault",
    "other",
)


class Refused(Exception):  # noqa: N818 - an outcome of a run, not our error
    """The runtime, or the worker on its behalf, does not take the model; `reason` is a code of the protocol."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        if reason not in REASONS:
            raise ValueError("unknown reason %r" % reason)
        self.reason = reason
        self.message = message


def check_file(path: str, form: str) -> None:
    """Check the first bytes before a runtime does, since runtimes say little about files that are not models.

    Raises:
        Refused: the file is missing, empty, or plainly something else.
    """
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            head = file.read(256)
    except OSError as error:
        raise Refused("not-a-model", "%s cannot be read: %s" % (name, error.strerror)) from error
    text = head.lstrip(b"\xef\xbb\xbf\t\r\n ").lower()  # a page may start with a byte order mark and blanks
    doubts = [doubt for start, doubt in _HEADS if text.startswith(start)]
    if not head:
        doubts = ["it is empty"]
    elif head[4:8] == b"TFL3" and form != "tflite":
        doubts = ["it is a .tflite model"]
    elif head[4:8] != b"TFL3" and form == "tflite" and not doubts:
        doubts = ["the bytes do not start as those of a .tflite file do"]
    if doubts:
        raise Refused("not-a-model", "%s is not a .%s model: %s" % (name, form, doubts[0]))


@contextlib.contextmanager
def translated(advice: str = "", *, made_up: bool = False) -> Iterator[None]:
    """A context for calls into a runtime: what it raises becomes a `Refused`.

    `advice` names the dimensions that were guessed, if any, and `made_up` says that the inputs are random numbers: a
    model that does not take a guess is not broken.
    """
    try:
        yield
    except Refused:
        raise
    except MemoryError as error:
        raise Refused("out-of-memory", "there was not enough memory for the model") from error
    except Exception as error:
        reason, message = _understood(str(error))
        if advice and reason == "other":
            reason, message = "open-dimension", advice
        elif made_up and reason == "other":
            reason = "made-up-input"
            message = "the model does not take random inputs (%s): give samples" % message
        raise Refused(reason, message) from error


def _understood(said: str) -> Tuple[str, str]:
    for reason, pattern, sentence in _SAYINGS:
        found = re.search(pattern, said, re.DOTALL)
        if found:
            return reason, sentence.format(*found.groups())
    return "other", _plain(said)


def _plain(said: str) -> str:
    for noise in _NOISE:
        said = re.sub(noise, "", said.strip())
    said = " ".join(said.split())
    said = said.rstrip(".")
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
