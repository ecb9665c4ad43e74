"""Changes what edgecheck reads, until something is read badly: see `fuzz_subjects`.

python tools/fuzz.py [--seconds 600] [--seed 0]     # prints each finding, and keeps its file in .edgecheck/fuzz
python tools/fuzz.py --keep FILE                    # makes a finding a case of tests/anatomy/test_fuzzed.py

A finding is an exception other than `EdgecheckError`, 10 s of one core, 300 MB more memory, rows that do not add up to
the file, or a message that cannot be printed safely.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
import traceback
from hashlib import sha256
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from edgecheck.core.text import clean, middle_cut
from edgecheck.errors import EdgecheckError
from tests.anatomy.test_fuzz import NUMBERS, Edit, byte, changed, cut, drop, move, repeat, u32, u64
from tools import fuzz_subjects as subjects

ROOT = Path(__file__).parents[1]
#: Cases that were found, each a file that a test reads.
KEPT = ROOT / "tests" / "anatomy" / "data" / "fuzzed"
_FOUND = ROOT / ".edgecheck" / "fuzz"
_MOST_SECONDS, _MOST_MEBIBYTES = 10, 300
_LONGEST = 200
#: Kinds of files that are texts: their words and values are changed, too.
_TEXTS = (".yaml", ".json", ".events", ".answers", "model.json", "m.safetensors")
_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|[\w.+-]+|[\[\]{}:,]')
_VALUES = (
    b"null", b"true", b"-1", b"0", b"1e999", b"-1e308", b"NaN", b"Infinity", b"0.1", b"[]", b"{}", b'""', b"9" * 5000,
    b'"\\ud800"', b'"\\u001b[31m\\u202e"', b"18446744073709551616", b"[" * 5000, b"? ", b"&a", b"*a", b"<<", b"!!x",
    b"\xff\xfe", b"\x1b[2J", "\u202e".encode(), b'"' + b"x" * 100_000 + b'"',
)  # fmt: skip


def word(data: bytearray, at: int, number: int) -> None:
    """Another value in the place of a word or value of a text."""
    found = _WORD.search(data, at) or _WORD.search(data)
    if found:
        data[found.start() : found.end()] = _VALUES[number % len(_VALUES)]


def line(data: bytearray, at: int, number: int) -> None:
    """A line of a text again, in another place, or not at all."""
    lines = bytes(data).split(b"\n")
    taken = lines[at % len(lines)]
    if number % 2:
        lines.insert(number % len(lines), taken)
    else:
        del lines[at % len(lines)]
    data[:] = b"\n".join(lines)


_EDITS = (byte, u32, u64, cut, drop, repeat, move)


def examine(path: Path) -> str:
    """What is wrong with how the file at `path` is read; "" for nothing."""
    started, before = time.process_time(), _peak()
    try:
        wrong = subjects.reading(path)
    except EdgecheckError as error:
        wrong = subjects.unclean(error)
    except Exception as error:  # noqa: BLE001 - any other exception is a finding
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = middle_cut(str(error), _LONGEST)
        wrong = f"{type(error).__name__}: {said} ({Path(last.filename).name}, {last.name})"
    if time.process_time() - started > _MOST_SECONDS:
        wrong = wrong or f"it takes more than {_MOST_SECONDS} s"
    return wrong or (f"it takes more than {_MOST_MEBIBYTES} MB" if _peak() - before > _MOST_MEBIBYTES else "")


def fuzz(seconds: float, seed: int, folder: Path) -> tuple[int, dict[str, Path]]:
    """Change files for some time; returns how many, and the findings, one of each kind."""
    random, files, found = Random(seed), subjects.corpus(), dict[str, Path]()  # noqa: S311 - not for secrets
    kinds: dict[str, list[str]] = {}
    for name in sorted(files):
        kinds.setdefault(name.partition(".")[2], []).append(name)
    endings, known, count = sorted(kinds), set[str](), 0
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as scratch:
        while time.monotonic() < end:
            name = random.choice(kinds[random.choice(endings)])
            content = _changed(name, files[name], random)
            path = Path(scratch, name)
            path.write_bytes(content)
            wrong = examine(path)
            count += 1
            kind = wrong[:20] + wrong.rpartition("(")[2]
            if wrong and kind not in known:
                known.add(kind)
                found[wrong] = Path(shutil.copy(path, folder / f"{sha256(content).hexdigest()[:12]}-{name}"))
    return count, found


def _changed(name: str, content: bytes, random: Random) -> bytes:
    """Some bytes, words or lines of a file changed; of a folder, those of one of its files."""
    if name.endswith(".folder"):
        files = subjects.unpacked(content)
        one = random.choice(sorted(files))
        return subjects.packed({**files, one: _changed(one, files[one], random)})
    edits = (*_EDITS, word, word, word, line) if name.endswith(_TEXTS) else _EDITS
    changes: list[Edit] = [
        (random.choice(edits), random.randrange(1 << 32), random.choice((*NUMBERS, *range(256))))
        for _ in range(random.randint(1, 4))
    ]
    return changed(content, changes)


def _peak() -> int:
    """Megabytes: this process's own peak; `ru_maxrss` would begin at its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> int:
    """Fuzz, or keep a finding; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.keep is not None:
        KEPT.mkdir(exist_ok=True)
        shutil.copy(given.keep, KEPT)
        return 0
    _FOUND.mkdir(parents=True, exist_ok=True)
    count, found = fuzz(given.seconds, given.seed, _FOUND)
    for wrong, path in found.items():
        print(f"{path}: {clean(wrong)}")
    print(f"{count:,} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
