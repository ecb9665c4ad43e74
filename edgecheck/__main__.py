"""The command `edgecheck`: answers `--help` and `--version` itself, and leaves the rest to `edgecheck.cli`."""

from __future__ import annotations

import os
import sys

#: Objects between two searches for garbage: imports make many objects and no garbage (Python's own default is 700).
_GC_THRESHOLD = 50_000


def main() -> int:
    """Run the command line and return the exit code.

    `--help` and `--version` are answered without importing click: a shell user asks for them most.
    A shell that asks for completions sets a variable and passes no arguments.
    """
    arguments = sys.argv[1:]
    if "_EDGECHECK_COMPLETE" in os.environ:
        return _run(arguments)
    match arguments:
        case [] | ["--help"] | ["-h"]:
            from pathlib import Path

            sys.stdout.write((Path(__file__).parent / "cli" / "help.txt").read_text(encoding="utf-8"))
            return 0 if arguments else 2
        case ["--version"]:
            from edgecheck import __version__

            sys.stdout.write(f"edgecheck {__version__}\n")
            return 0
        case _:
            return _run(arguments)


def _run(arguments: list[str]) -> int:
    import gc

    gc.set_threshold(_GC_THRESHOLD)
    from edgecheck.cli.main import main as run

    try:
        return run(arguments)
    finally:
        gc.freeze()  # the process ends: to search all modules for garbage once more takes a tenth of `devices`


if __name__ == "__main__":
    # `python -m` looks for modules in the working directory first, where the author of a model or a budget may have put
    # one with the name of a library.
    if not getattr(sys.flags, "safe_path", False) and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - pathlib doubles the time of `--help`
        del sys.path[0]
    sys.exit(main())
