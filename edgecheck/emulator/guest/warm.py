"""Import what jobs import, to fill the page cache and, where the bundle has no compiled modules, to compile them."""

import contextlib
import importlib

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

for name in (*STANDARD, *BUNDLED):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
