"""The command `edgecheck`: two answers at once, the rest by `edgecheck.cli`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line and return the exit code.

    `--help` and `--version` are answered without importing the command line's library: a shell user asks them most.
    A shell that asks for completions gives no arguments, but a variable.
    """
    if "_EDGECHECK_COMPLETE" in os.environ:
        from edgecheck.cli.main import main as run

        return run(sys.argv[1:])
    match sys.argv[1:]:
        case [] | ["--help"] | ["-h"]:
            from pathlib import Path

            sys.stdout.write((Path(__file__).parent / "cli" / "help.txt").read_text(encoding="utf-8"))
            return 0 if sys.argv[1:] else 2
        case ["--version"]:
            from edgecheck import __version__

            sys.stdout.write(f"edgecheck {__version__}\n")
            return 0
        case arguments:
            from edgecheck.cli.main import main as run

            return run(arguments)


if __name__ == "__main__":
    # `python -m` looks for modules in the working directory first, where a model's or a budget's author may have put
    # one that is named like a library's.
    if not getattr(sys.flags, "safe_path", False) and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - pathlib doubles the time of `--help`
        del sys.path[0]
    sys.exit(main())
