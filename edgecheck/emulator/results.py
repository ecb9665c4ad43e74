"""Results of emulated runs, kept by everything that decides them: what repeats to the byte is measured once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import KERNEL_ARGUMENTS, Image, qemu_identity
from edgecheck.store import sha256_of

#: Part of every key: raised when a run is done in another way.
_FORMAT = 1

#: Of the cache, for all results; one takes about 10 kB.
_MOST_BYTES = 256 << 20

_LINES, _WHEN = "lines", "measured"

#: Outcomes that a second run would have, too; a timeout or a kill from outside says something about the host.
_REPEATABLE = frozenset({"completed", "refused", "killed-for-memory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that decides what an agent in the machine reports."""

    image: Image
    bundle: str
    """The bundle's digest."""
    agent: str
    """A digest of the agent."""
    cpu: str
    available_bytes: int
    job: Mapping[str, object]
    model: tuple[Path, ...]
    samples: Path | None
    counting: str = ""
    """What counts besides the agent; empty where nothing does."""

    def key(self) -> str:
        """Names the question, by content."""
        main, *others = self.model
        job = {name: value for name, value in self.job.items() if name != "deadline_s"}
        parts = {
            "format": _FORMAT,
            "guest": self.image.content,
            "bundle": self.bundle,
            "agent": self.agent,
            "cpu": self.cpu,
            "available": self.available_bytes,
            "job": job,
            "model": [main.suffix, sha256_of(main), {path.name: sha256_of(path) for path in others}],
            "samples": sha256_of(self.samples) if self.samples else None,
            "counting": self.counting,
            "qemu": qemu_identity(),
            "kernel": KERNEL_ARGUMENTS,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent reported."""

    lines: tuple[bytes, ...]
    measured: float
    """When, in seconds since 1970."""


def find(cache: Cache, key: str, not_before: float) -> Answer | None:
    """The kept answer; None if there is none that is intact and was measured at `not_before` or later."""
    entry = cache.results.get(key)
    if entry is None:
        return None
    try:
        measured = float(entry.facts[_WHEN])
        lines = (entry.folder / _LINES).read_bytes().splitlines(keepends=True)
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return Answer(tuple(lines), measured) if measured >= not_before else None


def heard(lines: Iterable[bytes], into: list[bytes]) -> Iterator[bytes]:
    """The lines as they come; each is added to `into` first."""
    for line in lines:
        into.append(line)
        yield line


def keep(cache: Cache, key: str, lines: Sequence[bytes]) -> None:
    """Keep the lines of a complete run that would be the same again; the caller holds the key's lock.

    Raises:
        EmulatorError: the cache folder is full or cannot be written to.
    """
    if not _repeatable(lines):
        return
    with cache.results.making(key) as scratch:
        folder = scratch / "entry"
        folder.mkdir()
        (folder / _LINES).write_bytes(b"".join(lines))
        cache.results.put(key, folder, {_WHEN: time.time()})


def _repeatable(lines: Sequence[bytes]) -> bool:
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    ends = [event.get("outcome") for event in events if event.get("event") == "end"]
    done = bool(events) and events[-1].get("event") == "done"
    return done and bool(ends) and _REPEATABLE.issuperset(ends)


def trim(cache: Cache) -> None:
    """Remove the results that were unused for longest, where there are very many."""
    cache.results.trim(_MOST_BYTES)


def note(code: str, message: str) -> bytes:
    """A line of the agent's protocol with a note, for what the agent cannot know."""
    return json.dumps({"event": "note", "code": code, "message": message}).encode() + b"\n"


def when(moment: float) -> str:
    """A moment as people read it: `2026-11-28 14:03 UTC`."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
