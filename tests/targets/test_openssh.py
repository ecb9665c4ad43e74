"""The command that starts ssh: nothing in an address or in what runs on the device ever reaches a shell.

Covers `ssh.py`.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core.address import parse
from edgecheck.errors import UsageError
from edgecheck.targets.shell.opener import quoted
from edgecheck.targets.ssh import OpenSsh


def test_ssh_gets_each_part_as_a_separate_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", "ssh -F 'my config'")
    argv = OpenSsh(parse("ssh://anna%20berg@[::1]:2222")).argv(["python3", "-c", "print('$HOME')"])
    assert argv[:3] == ["ssh", "-F", "my config"]
    assert argv[-7:] == ["-l", "anna berg", "-p", "2222", "--", "::1", """python3 -c 'print('"'"'$HOME'"'"')'"""]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ControlMaster=no", "ForwardAgent=no"):
        assert argv[argv.index(option) - 1] == "-o"


def test_a_variable_that_is_not_a_command_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", "ssh -F 'my config")
    with pytest.raises(UsageError, match="EDGECHECK_SSH is not a command: No closing quotation"):
        OpenSsh(parse("ssh://board")).argv(["true"])


_WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), min_size=1)


@given(_WORDS)
def test_a_shell_takes_a_quoted_line_apart_into_the_same_words(words: list[str]) -> None:
    assert shlex.split(quoted(words)) == words


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_hostile_words_arrive_unharmed(tmp_path: Path, shell: str) -> None:
    words = [
        "",
        "a b",
        "it's",
        '"',
        "$(touch here)",
        "`touch here`",
        ";touch here",
        "-n",
        "two\nlines",
        "\\",
        "*",
        "~",
        "!x",
    ]
    line = quoted(["printf", "%s\\0", *words])
    done = subprocess.run([shell, "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\0")[:-1] == words
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_cannot_be_an_argument_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quoted(["a\0b"])
