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
    _complete_streams()
    code = 0
    try:
        code = _answer(sys.argv[1:])
        sys.stdout.flush()
    except OSError as error:
        return _unwritten(error, code)
    return code


def _answer(arguments: list[str]) -> int:
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


def _complete_streams() -> None:
    """Have stdout and stderr take everything: where one is closed nothing is read, and an encoding may lack characters.

    A file opened later would get the number of a closed stream, and what is printed would go there.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the number of stderr
            os.set_inheritable(number, True)  # noqa: FBT003 - it takes no name
        os.close(number)
        sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 - open until the end
        sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115 - as above
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def _unwritten(error: OSError, code: int) -> int:
    """The exit code where stdout does not take everything: 2, or 130 where nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python tries again at exit
    if isinstance(error, BrokenPipeError):
        return 130
    if code in (0, 1):  # else the reason has been printed
        from contextlib import suppress

        with suppress(OSError):
            sys.stderr.write(f"edgecheck: the output could not be written: {error.strerror}.\n")
        return 2
    return code


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
