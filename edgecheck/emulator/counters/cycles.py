"""Cycles that a core takes for the blocks that were counted, by LLVM's model of it; kept by block.

llvm-mca simulates a block that repeats without end on a core with its caches filled. The core's waiting for memory is
not part of these cycles.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from edgecheck.emulator import programs
from edgecheck.emulator.counters.record import Block

#: Versions of LLVM that are used, the one that the profiles' coefficients were fitted with first: older ones model the
#: newer cores as older ones.
VERSIONS = (19, 20, 21, 22)

#: Models that are simulated, by QEMU's name of the core: the core's and those of cores that it stands for, since QEMU
#: does not have them.
_MODELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cortex-a35": ("cortex-a55",),
        "cortex-a53": ("cortex-a55",),
        "cortex-a55": ("cortex-a55",),
        "cortex-a57": ("cortex-a57",),
        "cortex-a72": ("cortex-a57",),
        "cortex-a76": ("neoverse-n1", "neoverse-n2"),
        "neoverse-n1": ("neoverse-n1",),
        "max": ("neoverse-n2", "neoverse-v2"),
    }
)

#: The share of the instructions whose blocks are simulated; the rest is taken to be as quick per instruction.
_SHARE = 0.995

#: Repetitions of a block: enough that filling the pipeline does not show.
_REPETITIONS = 100

_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Tools:
    """LLVM's disassembler and its simulator."""

    disassembler: str
    simulator: str
    version: str
    """As `19.1.7`."""


def models_for(cpu: str) -> tuple[str, ...]:
    """The models for a core as QEMU takes it; empty where LLVM has none that is near."""
    return _MODELS.get(cpu.partition(",")[0], ())


@cache
def tools() -> Tools | None:
    """Those of this host; None where they are missing or older."""
    for suffix in (*(f"-{version}" for version in VERSIONS), ""):
        simulator, disassembler = programs.find(f"llvm-mca{suffix}"), programs.find(f"llvm-mc{suffix}")
        if simulator and disassembler:
            said = subprocess.run((simulator, "--version"), capture_output=True, text=True, check=False).stdout
            found = re.search(r"version ((\d+)\.[0-9.]+)", said)
            if found and int(found[2]) >= VERSIONS[0]:
                return Tools(disassembler, simulator, found[1])
    return None


def cycles(blocks: Sequence[Block], model: str, using: Tools, kept: Path) -> float | None:
    """Cycles of all blocks together; None where LLVM cannot simulate them.

    Args:
        blocks: All that were executed.
        model: LLVM's name of the core.
        using: See `tools`.
        kept: A file that remembers what was simulated.
    """
    total = sum(block.instructions for block in blocks)
    hot = _hot(blocks, _SHARE * total)
    each = _simulated([block.words for block in hot], model, using, kept)
    spent, covered = 0.0, 0
    for block in hot:
        if (one := each.get(block.words)) is not None:
            spent += block.executions * one
            covered += block.instructions
    return spent * total / covered if covered else None


def _hot(blocks: Iterable[Block], enough: float) -> list[Block]:
    """The blocks with most instructions, until there are `enough`."""
    found, sum_so_far = [], 0
    for block in sorted(blocks, key=lambda block: (-block.instructions, block.words)):
        if sum_so_far >= enough:
            break
        found.append(block)
        sum_so_far += block.instructions
    return found


Words = tuple[int, ...]


def _simulated(blocks: Iterable[Words], model: str, using: Tools, kept: Path) -> dict[Words, float]:
    """Cycles of one execution of each block; a block that LLVM does not know is missing."""
    wanted = dict.fromkeys(blocks)
    keys = {words: _key(words, model, using) for words in wanted}
    found = _remembered(kept, keys)
    new = [words for words in wanted if words not in found]
    if new:
        simulated = _run(new, model, using)
        _remember(kept, {keys[words]: value for words, value in simulated.items()})
        found |= simulated
    return found


def _key(words: Words, model: str, using: Tools) -> str:
    content = struct.pack(f"<{len(words)}I", *words)
    return hashlib.sha256(f"{using.version} {model} {_REPETITIONS} ".encode() + content).hexdigest()[:24]


def _run(blocks: Sequence[Words], model: str, using: Tools) -> dict[Words, float]:
    texts = _disassembled({word for words in blocks for word in words}, using)
    lines = []
    for number, words in enumerate(blocks):
        lines += [f"# LLVM-MCA-BEGIN {number}", *(texts[word] for word in words if word in texts), "# LLVM-MCA-END"]
    argv = (
        *(using.simulator, "-mtriple=aarch64", f"-mcpu={model}", "-mattr=+all", f"-iterations={_REPETITIONS}"),
        *("-skip-unsupported-instructions=any", "-instruction-info=0", "-resource-pressure=0"),
    )
    said = _output(argv, "\n".join(lines) + "\n")
    found = re.findall(r"Code Region - (\d+)\s.*?Total Cycles:\s+(\d+)", said, re.DOTALL)
    return {blocks[int(number)]: int(total) / _REPETITIONS for number, total in found}


def _disassembled(words: Iterable[int], using: Tools) -> dict[int, str]:
    """The text of each instruction; data and what LLVM does not know are missing."""
    ordered = sorted(words)
    given = "".join(" ".join(f"0x{byte:02x}" for byte in struct.pack("<I", word)) + "\n" for word in ordered)
    argv = (using.disassembler, "--disassemble", "-triple=aarch64", "-mattr=+all")
    done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False)
    unknown = {int(line) for line in re.findall(r"^<stdin>:(\d+):\d+: warning: invalid", done.stderr, re.MULTILINE)}
    known = [word for line, word in enumerate(ordered, 1) if line not in unknown]
    texts = [text for line in done.stdout.splitlines() if (text := line.strip()) and not text.startswith(".")]
    return dict(zip(known, texts, strict=True)) if len(known) == len(texts) else {}


def _output(argv: Sequence[str], given: str) -> str:
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(argv, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False).stdout
    return ""


_TABLE = "CREATE TABLE IF NOT EXISTS blocks (key TEXT PRIMARY KEY, cycles REAL NOT NULL)"


def _remembered(kept: Path, keys: Mapping[Words, str]) -> dict[Words, float]:
    found: dict[Words, float] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(kept)) as connection:
        connection.execute(_TABLE)
        for words, key in keys.items():
            row = connection.execute("SELECT cycles FROM blocks WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found[words] = row[0]
    return found


def _remember(kept: Path, cycles_by_key: Mapping[str, float]) -> None:
    with suppress(sqlite3.Error), closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute(_TABLE)
        connection.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?)", cycles_by_key.items())
