"""Addresses: what is understood, what is refused, and that nothing in one ever reaches a shell."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core.address import Address, parse, parse_device
from edgecheck.errors import UsageError
from edgecheck.targets.shell import quoted
from edgecheck.targets.ssh_client import ssh_argv


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "python"),
    [
        ("ssh://pi@raspberrypi.local", "pi", "raspberrypi.local", None, "python3"),
        ("ssh://rack-1", "", "rack-1", None, "python3"),
        ("ssh://pi@10.0.0.7:2222", "pi", "10.0.0.7", 2222, "python3"),
        ("ssh://pi@10.0.0.7:2222/", "pi", "10.0.0.7", 2222, "python3"),
        ("ssh://pi@[::1]", "pi", "::1", None, "python3"),
        ("ssh://pi@[fe80::1%25eth0]:22", "pi", "fe80::1%eth0", 22, "python3"),
        ("ssh://[2001:db8::7]:2222", "", "2001:db8::7", 2222, "python3"),
        ("ssh://DOMAIN%5Cpi@board", "DOMAIN\\pi", "board", None, "python3"),
        ("ssh://pi@corp@board", "pi@corp", "board", None, "python3"),
        ("ssh://anna%20berg@board", "anna berg", "board", None, "python3"),
        ("ssh://pi@board?python=venv/bin/python3", "pi", "board", None, "venv/bin/python3"),
        ("ssh://pi@board:22?python=/opt/my%20py/bin/python3", "pi", "board", 22, "/opt/my py/bin/python3"),
    ],
)
def test_an_address_is_taken_apart(text: str, user: str, host: str, port: int | None, python: str) -> None:
    assert parse(text) == Address(scheme="ssh", text=text, host=host, user=user, port=port, python=python)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ssh://", "'' cannot be a host's name"),
        ("ssh://pi@", "'' cannot be a host's name"),
        ("ssh://@board", "'' cannot be a user's name"),
        ("ssh://pi:secret@board", "passwords have no place in an address"),
        ("ssh://pi@board:", "'' is not a port"),
        ("ssh://pi@board:0", "'0' is not a port"),
        ("ssh://pi@board:65536", "'65536' is not a port"),
        ("ssh://pi@board:22x", "'22x' is not a port"),
        ("ssh://pi@board/home", "it is not of that form"),
        ("ssh:/pi@board", "it is not of that form"),
        ("ssh://pi@board?sudo=1", "'sudo=1' is not understood"),
        ("ssh://pi@board?python=", "'python=' is not understood"),
        ("ssh://pi@board?python=-c", "'python=-c' is not understood"),
        ("ssh://pi@board?python=a%0Ab", "'python=a%0Ab' is not understood"),
        ("ssh://-oProxyCommand=touch", "'-oProxyCommand=touch' cannot be a host's name"),
        ("ssh://-l@board", "'-l' cannot be a user's name"),
        ("ssh://pi@$(touch here)", "'$(touch here)' cannot be a host's name"),
        ("ssh://pi@`touch here`", "'`touch here`' cannot be a host's name"),
        ("ssh://pi@a;b", "'a;b' cannot be a host's name"),
        ("ssh://pi@a\nb", "'a\\nb' cannot be a host's name"),
        ("ssh://$(x)@board", "'$(x)' cannot be a user's name"),
        ("ssh://a'b@board", "\"a'b\" cannot be a user's name"),
        ("ssh://a%0Ab@board", "'a\\nb' cannot be a user's name"),
        ("ssh://a%20-ob@board", "'a -ob' cannot be a user's name"),
        ("ssh://a%5C@board", "'a\\\\' cannot be a user's name"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_device(text)
    assert why in caught.value.message
    assert caught.value.hint


def test_ssh_is_given_each_part_as_a_word_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", "ssh -F 'my config'")
    argv = ssh_argv(parse("ssh://anna%20berg@[::1]:2222"), ["python3", "-c", "print('$HOME')"])
    assert argv[:3] == ["ssh", "-F", "my config"]
    assert argv[-7:] == ["-l", "anna berg", "-p", "2222", "--", "::1", """python3 -c 'print('"'"'$HOME'"'"')'"""]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ControlMaster=no", "ForwardAgent=no"):
        assert argv[argv.index(option) - 1] == "-o"


def test_a_variable_that_is_no_command_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", "ssh -F 'my config")
    with pytest.raises(UsageError, match="EDGECHECK_SSH is no command: No closing quotation"):
        ssh_argv(parse("ssh://board"), ["true"])


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


def test_a_word_that_no_argument_can_be_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quoted(["a\0b"])
