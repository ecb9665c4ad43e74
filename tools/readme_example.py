"""Updates the quick start's output in README.md, and its pictures, from a run on this machine; tests compare them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from rich.text import Text

from tools.terminal_picture import DARK, LIGHT, picture

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(```console\n\$ make check\n).*?(```)", re.DOTALL)
PICTURES = {ROOT / "docs/pictures/report-light.svg": LIGHT, ROOT / "docs/pictures/report-dark.svg": DARK}


def main() -> None:
    """Run it and write."""
    edgecheck = Path(sys.executable).parent / "edgecheck"
    done = subprocess.run(
        [edgecheck, "check"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        | {"COLUMNS": "100", "FORCE_COLOR": "1"},
    )
    plain = "".join(f"{line.rstrip()}\n" for line in Text.from_ansi(done.stdout).plain.rstrip("\n").split("\n"))
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(BLOCK.sub(lambda found: found[1] + plain + found[2], text), encoding="utf-8")
    for path, colors in PICTURES.items():
        path.write_text(picture(done.stdout, "make check", colors), encoding="utf-8")


if __name__ == "__main__":
    main()
