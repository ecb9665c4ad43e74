"""Import what jobs import, to fill the page cache and, where the bundle has no compiled modules, to compile them."""

import _frozen_importlib_external as loading  # importlib.machinery would be compiled by two processes at once
import contextlib
import importlib
import os
import sys

STANDARD = (
    *(
        "argparse",
        "array",
        "ast",
        "base64",
        "collections",
        "contextlib",
        "ctypes",
        "datetime",
        "decimal",
        "email.parser",
    ),
    *("errno", "fcntl", "fractions", "functools", "gc", "glob", "hashlib", "importlib.metadata", "inspect", "io"),
    *("itertools", "json", "logging", "math", "mmap", "os", "pathlib", "pickle", "platform", "queue", "random", "re"),
    *("resource", "secrets", "select", "selectors", "shutil", "signal", "socket", "stat", "statistics", "struct"),
    *("subprocess", "sys", "tempfile", "textwrap", "threading", "time", "traceback", "typing", "uuid", "warnings"),
    *("zipfile", "zlib"),
)
BUNDLED = ("psutil", "numpy", "ai_edge_litert.interpreter", "tflite_runtime.interpreter", "onnxruntime")


#: Where the machine's init has compiled modules written, in a machine that is started to compile them.
NEW_MODULES = "/tmp/.pycache"  # noqa: S108 - the machine's own


def compile_bundled() -> None:
    """Compile the bundle's modules that `BUNDLED` imports, and a few more, without running them.

    What a module imports is among the names in its code, as `core` is for `from ..core import x`. A module that is not
    found like this is compiled when it is imported.
    """
    waiting, seen = [*BUNDLED], set()
    while waiting:
        name = waiting.pop()
        file = _source(name)
        if file is None or name in seen:
            continue
        seen.add(name)
        code = loading.SourceFileLoader(name, file).get_code(name)
        if code is None:
            continue
        lists = [code.co_names, *(each for each in code.co_consts if isinstance(each, tuple))]
        texts = [each for names in lists for each in names if isinstance(each, str)]
        words = [text for text in texts if all(part.isidentifier() for part in text.split("."))]
        parts = name.split(".")
        above = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        waiting += [*above, *words, *(f"{package}.{word}" for package in above for word in words)]


def _source(name: str) -> str | None:
    place = "/bundle/" + name.replace(".", "/")
    return next(filter(os.path.isfile, (place + "/__init__.py", place + ".py")), None)  # pathlib is not imported yet


def import_all(names: tuple[str, ...]) -> None:
    """Import those of the modules that there are."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


compiler = os.fork() if sys.pycache_prefix == NEW_MODULES else None
if compiler == 0:
    compile_bundled()
    os._exit(0)
if compiler:  # what jobs may import is only compiled here: a saved machine starts a second earlier without it
    import_all(STANDARD)
    os.waitpid(compiler, 0)
import_all(BUNDLED)
