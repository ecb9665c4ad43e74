"""What the machine's kernel says when it goes wrong."""

from __future__ import annotations

import re

_STAMP = r"^\[ *[0-9]+\.[0-9]+\] "
_OOM = re.compile(_STAMP + r"((?:Memory cgroup out|Out) of memory: .*)$", re.MULTILINE)
_PANIC = re.compile(_STAMP + r"(Kernel panic - not syncing: .*)$", re.MULTILINE)


def out_of_memory(text: str) -> tuple[str, ...]:
    """The OOM killer's lines, as `Out of memory: Killed process 97 (python3.11) …, anon-rss:97776kB, …`."""
    return tuple(line.rstrip() for line in _OOM.findall(text))


def panic(text: str) -> str | None:
    """The line with which the kernel gave up, or None."""
    found = _PANIC.search(text)
    return found[1].rstrip() if found else None
