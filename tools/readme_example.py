"""Updates the quick start's output in README.md from a run on this machine; a test compares the two."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(```console\n\$ make check\n).*?(```)", re.DOTALL)


def main() -> None:
    """Run it and write."""
    edgecheck = Path(sys.executable).parent / "edgecheck"
    done = subprocess.run(
        [edgecheck, "check"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"},
    )
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(BLOCK.sub(lambda found: found[1] + done.stdout + found[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
