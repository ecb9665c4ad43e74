"""A board that answers what it likes: a real process, which takes the place of `ssh` and speaks the courier's wire.

Started as `hostile_board.py SCRIPT … COMMAND`, where SCRIPT is a file with a Python literal: `greeting`, `offer` and
`start` are bytes of lines, and `forever` are bytes that follow again and again.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from pathlib import Path


def main(script: str, *command: str) -> None:
    """Answer until the host says goodbye or hangs up."""
    says: dict[str, bytes] = ast.literal_eval(Path(script).read_text(encoding="ascii"))
    program = re.search(r"stdin\.buffer\.read\((\d+)\)", command[-1])
    assert program is not None, command
    sys.stdin.buffer.read(int(program[1]))
    _write(b"\nedgecheck-courier " + says["greeting"])
    while line := sys.stdin.buffer.readline():
        if line == b"!\n":
            return
        message = json.loads(line.strip() or b"{}")
        match message.get("do"):
            case None:
                _write(b"\n")
            case "put":
                sys.stdin.buffer.read(message["size"])
            case "start":
                _write(says["start"])
                while says["forever"]:
                    _write(says["forever"])
            case do:
                _write(says[do])


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data[:65536]) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
