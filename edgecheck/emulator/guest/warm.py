"""Import what jobs import, to fill the page cache; or compile it: python3 -I -S -B warm.py ROOT FOLDER [LIBRARY].

The second writes byte code of the modules in ROOT/bundle and ROOT/LIBRARY, the standard library's folder, to FOLDER, by
their paths. Run by a Python of one version it writes the same bytes in the machine and on a host: what marshal writes
depends on what else in the process refers to an object, so it runs alone, and in one order.
"""

import _frozen_importlib_external as loading  # what importlib imports would be compiled by two processes at once
import _imp
import marshal
import opcode
import os
import sys

BUNDLED = ("psutil", "numpy", "ai_edge_litert.interpreter", "tflite_runtime.interpreter", "onnxruntime")

#: Those of the bundle that are imported by C, or inside of a function.
HIDDEN = (
    *("numpy._core._exceptions", "numpy.core._exceptions", "numpy.dtypes", "psutil._ntuples"),
    "onnxruntime.capi.build_and_package_info",
)

#: Imported on other systems, or by a module that is run as a program.
ELSEWHERE = ("psutil._psaix", "psutil._psbsd", "psutil._psosx", "psutil._pssunos", "psutil._pswindows")
NEVER = ("_pydecimal", "doctest", "unittest")

STANDARD = (
    *("__future__", "argparse", "array", "ast", "base64", "collections", "contextlib", "contextvars", "ctypes"),
    *("datetime", "decimal", "email.iterators", "email.parser", "encodings.utf_8", "errno", "fcntl", "fractions"),
    *("functools", "gc", "glob", "hashlib", "importlib.metadata", "inspect", "io", "itertools", "json", "logging"),
    *("math", "mmap", "os", "pathlib", "pickle", "platform", "queue", "random", "re", "resource", "secrets"),
    *("select", "selectors", "shutil", "signal", "site", "socket", "stat", "statistics", "struct", "subprocess"),
    *("sys", "tempfile", "textwrap", "threading", "time", "traceback", "typing", "uuid", "warnings", "zipfile"),
    *("zlib"),
)

#: In a module's byte code, which has two bytes an instruction; the second indexes its names.
IMPORTING = (opcode.opmap["IMPORT_NAME"], opcode.opmap["IMPORT_FROM"])

#: Byte code that is used without a look at its source, as neither changes: https://peps.python.org/pep-0552/
UNCHECKED = (1).to_bytes(4, "little")


def import_all(names: tuple[str, ...]) -> None:
    """Import those of the modules that there are."""
    import contextlib  # not while modules are compiled
    import importlib

    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def compile_all(names: tuple[str, ...], root: str, place: str, folder: str) -> None:
    """Compile the modules `names` under `place`, and those that they import, without running them.

    A module that is not found like this, as it is imported by name or by C, is compiled whenever it is imported.
    """
    waiting, seen = [*names], {*ELSEWHERE, *NEVER}
    while waiting:
        name = waiting.pop()
        path = source(name, root, place)
        if path is None or name in seen:
            continue
        seen.add(name)
        with open(root + path, "rb") as file:  # noqa: PTH123 - pathlib is not imported
            text = file.read()
        try:
            code = compile(text, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):  # for another version of Python
            continue
        save(marshal.dumps(code), text, folder + path[: -len(".py")] + f".{sys.implementation.cache_tag}.pyc")
        words = imported(code.co_code, code.co_names)
        parts = name.split(".")
        packages = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        packages += [word for word in words if "." in word]
        waiting += [*packages, *words, *(f"{package}.{word}" for package in packages for word in words)]


def imported(code: bytes, names: tuple[str, ...]) -> list[str]:
    """What a module's code imports when it runs: `core` and `x` for `from ..core import x`."""
    found, argument = [], 0
    for at in range(0, len(code), 2):
        operation = code[at]
        argument = argument << 8 | code[at + 1]
        if operation in IMPORTING and names[argument]:
            found.append(names[argument])
        if operation != opcode.EXTENDED_ARG:
            argument = 0
    return found


def source(name: str, root: str, place: str) -> str | None:
    """The path of a module's source, without `root`; None if there is none, or a link leads out of `place`."""
    path = f"{place}/{name.replace('.', '/')}"
    for each in (path + "/__init__.py", path + ".py"):
        if os.path.isfile(root + each) and not os.path.islink(root + each):  # noqa: PTH113, PTH114
            return each
    return None


def save(code: bytes, text: bytes, place: str) -> None:
    """Write a module's byte code."""
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    digest = _imp.source_hash(int.from_bytes(loading.MAGIC_NUMBER, "little"), text)
    with open(place, "wb") as file:  # noqa: PTH123
        file.write(loading.MAGIC_NUMBER + UNCHECKED + digest + code)


def main(root: str, folder: str, library: str) -> None:
    """Compile both, the standard library in another process."""
    root = root.rstrip("/")
    other = os.fork()
    if other == 0:
        compile_all(STANDARD, root, library, folder)
        os._exit(0)
    compile_all((*BUNDLED, *HIDDEN), root, "/bundle", folder)
    if os.waitpid(other, 0)[1]:
        sys.exit("The standard library could not be compiled.")


if len(sys.argv) == 1:
    import_all(BUNDLED)
else:
    main(sys.argv[1], sys.argv[2], *sys.argv[3:] or [os.path.dirname(os.__file__)])  # noqa: PTH120
