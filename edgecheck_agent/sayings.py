"""One table of what runtimes say about models, each with a reason code and a plain sentence.

The agent uses it where a model runs; edgecheck itself where it opens and converts one.
"""

import re
from typing import Tuple

# What runtimes say, the first match first; groups of the pattern go into the sentence.
SAYINGS = (
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
        r"'tf\.(\w+)' op is neither a custom op nor a flex op",
        "LiteRT has no operator for TensorFlow's {0} on these types",
    ),
    (
        "unsupported-operator",
        r"(\S+):([\w.:/-]+)\(-?\d+\) is not a registered function/op",
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
    "\x1b\\[[0-9;]*m",  # colours
    r"^Load model from .*? failed: ?",
    r"^Exception during initialization: ?",
    r"\S+\.(?:cc|cpp|h):\d+ [^.]*\) ",  # a line of the runtime's source, with the C++ signature
)
_LONGEST = 300


def understood(said: str) -> Tuple[str, str]:
    """A reason code of the protocol and a sentence; `other` and the plain text where no saying matches."""
    for reason, pattern, sentence in SAYINGS:
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
