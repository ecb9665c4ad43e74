"""Changes files that edgecheck reads, until one is read badly: model files, budgets and saved reports.

python tools/fuzz.py [--seconds 600] [--seed 0]     # prints each finding, and keeps its file in .edgecheck/fuzz
python tools/fuzz.py --keep FILE                    # makes a finding a case of tests/anatomy/test_fuzzed.py

A finding is an exception other than `EdgecheckError`, 10 s of one core, 300 MB more memory, rows that do not add up to
the file, or a message that cannot be printed safely.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from edgecheck.anatomy.reading import read
from edgecheck.config import lint
from edgecheck.core.text import clean
from edgecheck.errors import EdgecheckError
from edgecheck.reports.reading import read_report
from tests.anatomy.test_fuzz import MADE, NUMBERS, byte, changed, cut, drop, move, repeat, u32, u64

ROOT = Path(__file__).parents[1]
#: Cases that were found, each a file that a test reads.
KEPT = ROOT / "tests" / "anatomy" / "data" / "fuzzed"
_FOUND = ROOT / ".edgecheck" / "fuzz"
_MOST_SECONDS, _MOST_MEBIBYTES = 10, 300
_EDITS = (byte, u32, u64, cut, drop, repeat, move)


def corpus() -> dict[str, bytes]:
    """By name: files to change. The name's suffix says what reads them."""
    h5 = {path.name: path.read_bytes() for path in (ROOT / "tests" / "anatomy" / "data").glob("*.h5")}
    budgets = {path.name: path.read_bytes() for path in (ROOT / "budgets").glob("*.yaml")}
    return MADE | h5 | budgets | {"report.json": b'{"schema": "edgecheck/report-1", "results": []}'}


def examine(path: Path) -> str:
    """What is wrong with how the file at `path` is read; "" for nothing."""
    started, before = time.process_time(), _peak()
    try:
        wrong = _READERS.get(path.suffix, _read_model)(path)
    except EdgecheckError as error:
        wrong = "" if error.message == "\n".join(map(clean, error.message.split("\n"))) else "a message is not clean"
    except Exception as error:  # noqa: BLE001 - any other exception is a finding
        wrong = f"{type(error).__name__}: {error}"
    if time.process_time() - started > _MOST_SECONDS:
        wrong = wrong or f"it takes more than {_MOST_SECONDS} s"
    return wrong or (f"it takes more than {_MOST_MEBIBYTES} MB" if _peak() - before > _MOST_MEBIBYTES else "")


def fuzz(seconds: float, seed: int, folder: Path) -> tuple[int, dict[str, Path]]:
    """Change files for some time; returns how many, and the findings, one of each kind."""
    random, files, found = Random(seed), corpus(), dict[str, Path]()  # noqa: S311 - not for secrets
    names, count = sorted(files), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        name = random.choice(names)
        edits: list[tuple[Callable[[bytearray, int, int], None], int, int]] = [
            (random.choice(_EDITS), random.randrange(1 << 32), random.choice((*NUMBERS, *range(256))))
            for _ in range(random.randint(1, 4))
        ]
        content = changed(files[name], edits)
        path = folder / name
        path.write_bytes(content)
        wrong = examine(path)
        count += 1
        if wrong and wrong not in found:
            found[wrong] = path.rename(folder / f"{sha256(content).hexdigest()[:12]}-{name}")
    return count, found


def _read_model(path: Path) -> str:
    found = read(path)
    if found.totals.size != found.size or sum(tensor.stored for tensor in found.tensors) != found.totals.tensors:
        return "rows do not add up to the file"
    return "" if all(tensor.memory >= 0 and tensor.params >= 0 for tensor in found.tensors) else "a figure is negative"


def _read_budget(path: Path) -> str:
    lint([path])
    return ""


def _read_report(path: Path) -> str:
    read_report(path.read_bytes().decode("utf-8", "replace"), path.name)
    return ""


_READERS: dict[str, Callable[[Path], str]] = {".yaml": _read_budget, ".json": _read_report}


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
