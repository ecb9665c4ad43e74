"""What running a TorchScript archive would do besides computing: its source code is in the archive, under `code/`.

The code is a subset of Python with operators as `torch.NAME(...)` and `ops.NAMESPACE.NAME(...)`; what each of them does
is the library's (https://docs.pytorch.org/docs/stable/jit_language_reference.html).
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence

#: Namespaces of operators that compute and nothing else, but for those below.
_NAMESPACES = frozenset(
    ("aten", "prim", "prims", "quantized", "_quantized", "quantization", "sparse", "mkl", "mkldnn",
    "mkldnn_prepacked", "onednn", "rngprims", "torchvision", "prepacked", "profiler")
)  # fmt: skip
#: aten::save, aten::from_file, and the operators that call other machines (prim::rpc_*).
_REACHES_OUT = frozenset(["save", "load", "from_file", "rpc_async", "rpc_sync", "rpc_remote"])
#: Classes that C++ code brings along; those of quantised layers hold weights.
_CLASSES = frozenset(("quantized", "sparse", "xnnpack", "mkldnn"))


#: How pickles in the archive name the classes that C++ code brings along.
_CLASS = re.compile(r"__torch__\.torch\.classes\.(\w+)")


def what_runs(text: str) -> Iterator[str]:
    """The operators in one source file of an archive that do more than compute, as it names them.

    Raises:
        ValueError: the text cannot be taken apart as Python can.
    """
    words = _words(text)
    for at, word in enumerate(words):
        if word not in ("torch", "ops") or words[at + 1 : at + 2] != ["."]:
            continue
        path = _path(words, at)
        if word == "torch" and path[1:2] == ["classes"] and path[2:3] and path[2] not in _CLASSES:
            yield ".".join(path)
        elif at >= 1 and words[at - 1] == ".":
            continue  # a part of a longer name: __torch__.torch.nn.functional
        elif (word == "ops" and path[1:2] and path[1] not in _NAMESPACES) or path[-1] in _REACHES_OUT:
            yield ".".join(path)


def is_foreign(module: str) -> bool:
    """Whether a pickle in the archive that names this module makes an object of a class that may do anything."""
    found = _CLASS.match(module)
    return found is not None and found[1] not in _CLASSES


def _words(text: str) -> list[str]:
    """The text's tokens, without comments, line breaks and indentation."""
    kinds = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
    try:
        return [each.string for each in tokenize.generate_tokens(io.StringIO(text).readline) if each.type in kinds]
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(f"its code cannot be read: {error}") from error


def _path(words: Sequence[str], at: int) -> list[str]:
    """The dotted name that begins at `at`."""
    path = [words[at]]
    while words[at + 1 : at + 2] == ["."] and at + 2 < len(words):
        path.append(words[at + 2])
        at += 2
    return path
