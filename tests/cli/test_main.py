"""What holds for every command: help, exit codes, internal errors and start-up (`main`, `commands` and `__main__`).

Covers `options.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgecheck import __version__
from edgecheck.cli.commands import COMMANDS, cli
from examples.real_models import fetch
from tests.cli.command import EDGECHECK, edgecheck
from tools.help_text import help_text


def test_help_is_what_the_commands_say(root: Path) -> None:
    kept = (root / "edgecheck" / "cli" / "help.txt").read_text(encoding="utf-8")
    assert kept == help_text(), "run `make help-text`"


def test_help_and_version(tmp_path: Path) -> None:
    assert edgecheck("--help", cwd=tmp_path).code == 0
    assert edgecheck("--help", cwd=tmp_path).out == edgecheck("-h", cwd=tmp_path).out
    assert edgecheck("--version", cwd=tmp_path).out == f"edgecheck {__version__}\n"


def _commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    """Every command that does something, with the groups that it is in."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from _commands(found, f"{prefix}{name} ")
        if not isinstance(found, click.Group) or found.invoke_without_command:
            yield prefix + name


def test_the_table_of_exit_codes_has_every_command_once(root: Path) -> None:
    page = (root / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0] for line in page.partition("| command | 0 ")[2].splitlines()]
    named = [name for row in rows for name in re.findall("`([^`]+)`", row) if row.startswith("|")]
    assert isinstance(cli, click.Group)
    assert sorted(named) == sorted(_commands(cli))


def test_no_module_of_the_working_directory_is_imported(tmp_path: Path) -> None:
    """`colorsys` is one of the standard library's, which the terminal's library imports."""
    (tmp_path / "colorsys.py").write_text("open('ran', 'w').close()\n", encoding="utf-8")
    for command in ([EDGECHECK], [sys.executable, "-m", "edgecheck"]):
        argv = [*command, "check", str(fetch("mtcnn_onet.onnx")), "--limit", "size=2MB", "--limit", "ram_peak=off"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=tmp_path)
        assert "mtcnn_onet.onnx" in done.stdout, done.stderr
        assert not (tmp_path / "ran").exists(), command


def test_no_command_is_wrong_usage(tmp_path: Path) -> None:
    assert edgecheck(cwd=tmp_path).code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, tmp_path: Path) -> None:
    done = edgecheck(name, "--help", cwd=tmp_path)
    assert done.code == 0
    assert re.search(r"Examples?:", done.out)
    assert max(map(len, done.out.splitlines())) <= 100


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    done = edgecheck("chek", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "chek" in done.err
    assert "Traceback" not in done.err


def test_help_imports_neither_click_nor_anything_heavy(tmp_path: Path) -> None:
    shebang = Path(EDGECHECK).read_text(encoding="utf-8").splitlines()[0].removeprefix("#!")
    done = subprocess.run(
        [shebang, "-X", "importtime", EDGECHECK, "--help"], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "edgecheck" in imported
    assert not imported & {"click", "rich", "yaml", "numpy"}


def test_a_group_lists_its_commands_and_imports_none_of_them(tmp_path: Path) -> None:
    for group, names, absent in (
        ("devices", ["calibrate", "health", "probe", "show"], "edgecheck.cli.calibrate"),
        ("budget", ["init", "lint", "ratchet", "schema"], "edgecheck.cli.budget_init"),
    ):
        called = f"import sys; from edgecheck.cli.main import main; main(['{group}', '--help'])"
        code = f"{called}; print({absent!r} in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
        listed = done.stdout.partition("Commands:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  (\w+)  +\S", listed, re.MULTILINE) == names
        assert done.stdout.endswith("\nFalse\n")


def test_an_internal_error_is_reported_as_one(tmp_path: Path) -> None:
    """PYTHONPATH puts a module that cannot be imported before PyYAML: a real error."""
    (tmp_path / "yaml.py").write_text("raise RuntimeError('out of order')\n", encoding="utf-8")
    done = edgecheck("devices", cwd=tmp_path, PYTHONPATH=str(tmp_path), TMPDIR=str(tmp_path))
    assert (done.code, done.out) == (70, "")
    assert "internal error: RuntimeError: out of order" in done.err
    assert "Traceback" not in done.err
    (kept,) = tmp_path.glob("edgecheck-fault-*.txt")
    assert str(kept) in done.err
    assert "Traceback" in kept.read_text(encoding="utf-8")


def test_a_reader_that_goes_away_is_not_an_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([EDGECHECK, "devices"], check=False, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path)
    os.close(writing)
    assert done.returncode != 70
    assert b"Traceback" not in done.stderr
