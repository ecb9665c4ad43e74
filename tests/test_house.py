"""The figures of `tools/house.py`, on a small package whose figures are known.

Also covers `edgecheck/version.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import house

FILES = {
    "__init__.py": "",
    "errors.py": "# What can go wrong.\nclass Bad(Exception): ...\n",
    "core/__init__.py": "",
    "core/one.py": "from edgecheck.errors import Bad\nfrom edgecheck.core import (\n    two,\n)\n",
    "core/two.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from edgecheck.core import one\n",
    "cli.py": "from edgecheck.core.one import Bad\n\n\ndef main():\n    from edgecheck import late\n    return late\n",
    "late.py": "import edgecheck.cli\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "edgecheck" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text("It lies beside `beside`.\n", encoding="utf-8")
    return tmp_path


def test_figures(checkout: Path) -> None:
    found = house.figures(checkout)
    expected = {
        "modules": "7",
        "largest module": "6 (cli)",
        "longest function": "3 (cli.main)",
        "TYPE_CHECKING blocks": "1",
        "rooms": "4",
        "arrows between rooms": "4",
        "layers of rooms": "circular",
        "longest chain of modules": "4",
        "circles at import": "0",
        "circles with TYPE_CHECKING": "1",
        "circles with lazy imports": "2",
        "accents per 1,000 words, pages": "250.00 (1 in 4)",
    }
    assert {name: found[name] for name in expected} == expected


def test_the_table_has_a_column_for_each_checkout(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house.main([str(checkout), str(checkout)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| modules | 7 | 7 |"
    assert all(line.count("|") == 4 for line in lines)


def test_this_checkout_keeps_its_shape() -> None:
    """Neither circles of imports nor modules and functions that nobody reads at once (docs/contributing/style.md)."""
    found = house.shape(Path(__file__).parents[1])
    assert {name: count for name, count in found.items() if name.startswith("circles") and count != "0"} == {}
    assert int(found["largest module"].split()[0]) <= 400
    assert int(found["longest function"].split()[0]) <= 65
    assert int(found["layers of rooms"]) <= 9
