"""What a limit that does not hold is made of, and what would help: figures with a word each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the bytes, or a way to save some."""

    name: str
    """A layer, a phase of the run, or a means such as `int8`."""
    size: int
    """Bytes."""
    words: str = ""
    """One clause about it."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """The bytes behind metrics whose limits do not hold."""

    metrics: tuple[str, ...]
    """Their names; they share the parts."""
    parts: tuple[Part, ...]
    """Where the bytes are, the most first."""
    savings: tuple[Part, ...] = ()
    """What would make them fewer, the most first; the sizes are what is saved."""
    notes: tuple[str, ...] = ()
    """What else a person should know, a sentence each."""
