"""Why a device cannot be reached, and the command that fixes it (`ssh.py`, `shell/opener.py`)."""

from __future__ import annotations

import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.errors import EdgecheckError, TargetError, UsageError
from edgecheck.targets import open_target
from edgecheck.targets.shell.opener import printable
from edgecheck.targets.shell.wire import Patience
from edgecheck.targets.ssh import open_target as ssh_target
from edgecheck.targets.ssh import program, refusal
from tests.builders import profile
from tests.targets.sshd import USER, free_port, new_key
from tests.targets.workloads import LONG, events, rest_of, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh


def refused(address: str, model: Path) -> EdgecheckError:
    """What comes of a check there."""
    with (
        pytest.raises(EdgecheckError) as caught,
        open_target(parse(address), profile()).launch(workload(model), silent),
    ):
        pass
    return caught.value


def test_an_unknown_host_key(board: Board, model: Path) -> None:
    board.known_hosts.write_text("")
    error = refused(board.address, model)
    assert error.message == f"The host key of {USER}@127.0.0.1 is not known here."
    assert f": {board.ssh} -p {board.port} {USER}@127.0.0.1 true (" in error.hint
    assert f"ssh-keyscan -p {board.port} 127.0.0.1 >> ~/.ssh/known_hosts" in error.hint
    assert board.known_hosts.read_text() == ""


def test_another_host_key_than_before(board: Board, model: Path) -> None:
    board.known_hosts.write_text(f"[127.0.0.1]:{board.port} {new_key(board.folder / 'other')}\n")
    error = refused(board.address, model)
    assert error.message.startswith(f"{USER}@127.0.0.1 shows another host key than it had before")
    command = error.hint.partition("accept the new one: ")[2].partition(" && ")[0]
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert refused(board.address, model).message == f"The host key of {USER}@127.0.0.1 is not known here."


def test_a_config_that_would_take_any_host_key_is_overruled(board: Board, model: Path) -> None:
    with (board.folder / "client.conf").open("a") as file:
        file.write("    StrictHostKeyChecking no\n")
    board.known_hosts.write_text("")
    assert refused(board.address, model).message.startswith("The host key of")
    assert board.known_hosts.read_text() == ""


@pytest.mark.parametrize(
    "option", ["-o StrictHostKeyChecking=no", "-oStrictHostKeyChecking=off", "-o 'stricthostkeychecking no'"]
)
def test_a_command_that_would_take_any_host_key_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", f"ssh {option}")
    error = refused("ssh://pi@board", model)
    assert isinstance(error, UsageError)
    assert error.message == "EDGECHECK_SSH turns the check of host keys off."


def test_a_key_that_the_device_does_not_take(board: Board, model: Path) -> None:
    (board.folder / "authorized_keys").write_text("")
    error = refused(board.address, model)
    assert error.message == (
        f"{USER}@127.0.0.1 takes none of your keys ({USER}@127.0.0.1: Permission denied (publickey))."
    )
    assert f": {board.ssh} -v -p {board.port} {USER}@127.0.0.1 true (" in error.hint


def test_a_device_that_wants_a_password(boards: Callable[..., Board], model: Path) -> None:
    board = boards(settings="PasswordAuthentication yes\n")
    (board.folder / "authorized_keys").write_text("")
    error = refused(board.address, model)
    assert error.message == f"{USER}@127.0.0.1 wants a password, and takes none of your keys."
    options = board.ssh.removeprefix("ssh ")
    assert error.hint == f"Give it your key once: ssh-copy-id {options} -p {board.port} {USER}@127.0.0.1"


def test_no_server_on_that_port(model: Path) -> None:
    port = free_port()
    error = refused(f"ssh://pi@127.0.0.1:{port}", model)
    assert error.message == f"pi@127.0.0.1 is there and runs no SSH server on port {port}."
    assert "systemctl enable --now ssh" in error.hint


def test_a_server_that_is_too_old(board: Board, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", f"{board.ssh} -o HostKeyAlgorithms=ssh-rsa")
    error = refused(board.address, model)
    assert error.message.startswith(f"The server of {USER}@127.0.0.1 and your ssh have nothing in common (")
    assert "Their offer: ssh-ed25519" in error.message
    assert "HostKeyAlgorithms +ssh-rsa" in error.hint


def test_a_server_that_takes_no_more_connections(boards: Callable[..., Board], model: Path) -> None:
    board = boards(settings="MaxStartups 1:100:1\n")
    with socket.create_connection(("127.0.0.1", board.port)) as busy:
        assert busy.recv(4) == b"SSH-"  # it waits for this one to log in
        error = refused(board.address, model)
    assert error.message.startswith(f"{USER}@127.0.0.1 hung up before the login (")
    assert "fail2ban" in error.hint


def test_an_account_without_a_shell(board: Board, model: Path) -> None:
    board.force("echo Hello; echo 'Could not chdir to home directory /no: No such file or directory' >&2; exit 1")
    error = refused(board.address, model)
    assert error.message == f"{USER}@127.0.0.1 did not start python3: Hello."
    assert error.hint.startswith("Its login must end in a shell: ")


def test_a_banner_is_not_a_reason(boards: Callable[..., Board], model: Path, tmp_path: Path) -> None:
    (tmp_path / "banner").write_text("Authorised users only. Permission denied to all others.\n")
    board = boards(settings=f"Banner {tmp_path}/banner\n")
    with open_target(parse(board.address), profile()).launch(workload(model, latency=LONG), silent) as lines:
        until(lines, "start")
        board.processes("python3 -c")[0].kill()
        assert rest_of(lines)[1] == f"the connection to {USER}@127.0.0.1 was lost: ssh ended with exit code 255"
    (board.folder / "authorized_keys").write_text("")
    assert refused(board.address, model).message == (
        f"{USER}@127.0.0.1 takes none of your keys ({USER}@127.0.0.1: Permission denied (publickey))."
    )


def test_no_such_host(model: Path) -> None:
    error = refused("ssh://pi@no-such-board.invalid", model)
    assert error.message == "There is no host called no-such-board.invalid."


def test_a_server_that_says_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", "ssh -o ConnectTimeout=1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        error = refused(f"ssh://pi@127.0.0.1:{server.getsockname()[1]}", model)
    assert error.message.startswith("pi@127.0.0.1 does not answer (")
    assert "timed out" in error.message


def test_no_ssh_here(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", "no-such-ssh -F x")
    error = refused("ssh://pi@board", model)
    assert (error.message, error.hint) == (
        "no-such-ssh cannot be started: No such file or directory.",
        "Install the OpenSSH client (openssh-client).",
    )


def test_a_configuration_that_ssh_does_not_understand(board: Board, model: Path) -> None:
    with (board.folder / "client.conf").open("a") as file:
        file.write("    NoSuchOption yes\n")
    assert "terminating, 1 bad configuration options" in refused(board.address, model).message


def test_a_device_without_python(boards: Callable[..., Board], model: Path, tmp_path: Path) -> None:
    board = boards(PATH=str(tmp_path))
    error = refused(board.address, model)
    assert error.message.startswith(f"There is no python3 on {USER}@127.0.0.1 (")
    assert f"{board.address}?python=/path/to/python3" in error.hint


def test_a_python_that_is_not_there(board: Board, model: Path) -> None:
    error = refused(f"{board.address}?python=/opt/it's%20$(touch%20here)/python3", model)
    assert error.message.startswith(f"There is no /opt/it's $(touch here)/python3 on {USER}@127.0.0.1 (")
    assert not (board.home / "here").exists()


@pytest.mark.skipif(not list(Path.home().glob(".pyenv/versions/2.7*")), reason="there is no Python 2.7 here")
def test_a_python_that_is_too_old(board: Board, model: Path) -> None:
    python = next(Path.home().glob(".pyenv/versions/2.7*")) / "bin" / "python2.7"
    error = refused(f"{board.address}?python={python}", model)
    assert error.message.startswith(f"The Python of {USER}@127.0.0.1 is too old: ")
    assert "this is 2.7" in error.message


@pytest.mark.parametrize(
    "shell", [name for name in ("dash", "bash", "zsh", "fish", "tcsh", "busybox") if shutil.which(name)]
)
def test_any_login_shell_will_do(board: Board, model: Path, shell: str) -> None:
    command = f'{shutil.which(shell)} {"sh " if shell == "busybox" else ""}-c "$SSH_ORIGINAL_COMMAND"'
    board.force(command)
    with open_target(parse(board.address), profile()).launch(workload(model), silent) as lines:
        assert events(lines)[-1]["event"] == "done"


def test_a_login_that_prints_things(boards: Callable[..., Board], model: Path) -> None:
    board = boards()
    board.force("echo Welcome to your board; echo; printf 'no end of line'; exec sh -c \"$SSH_ORIGINAL_COMMAND\"")
    with open_target(parse(board.address), profile()).launch(workload(model), silent) as lines:
        assert events(lines)[-1]["event"] == "done"


def test_a_login_that_is_not_a_shell(board: Board, model: Path) -> None:
    board.force("echo This account is currently not available. >&2; exit 1")
    error = refused(board.address, model)
    assert error.message == f"{USER}@127.0.0.1 did not start python3: This account is currently not available."


def test_a_start_file_that_waits_for_input_is_shown(board: Board, model: Path) -> None:
    board.force("printf 'Press enter '; sleep 60")
    impatient = replace(ssh_target(parse(board.address), profile()), patience=Patience(greeting=2.0))
    with pytest.raises(TargetError) as caught, impatient.launch(workload(model), silent):
        pass
    assert "printed 'Press enter' and did not start python3 within 2 s" in caught.value.message
    assert "in terminals only" in caught.value.hint


def test_a_start_file_that_reads_what_is_meant_for_python(board: Board, model: Path) -> None:
    board.force('head -c 100 > /dev/null; exec sh -c "$SSH_ORIGINAL_COMMAND" < /dev/null')
    error = refused(board.address, model)
    assert error.message == f"A start file of {USER}@127.0.0.1, such as ~/.bashrc, reads what is meant for python3."


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        ("sh: /opt/python3: Permission denied", 126, "python3 on pi@board may not be executed"),
        ("python3: error while loading shared libraries: libz.so.1: cannot open: No such file", 127, "lacks a library"),
        ("ssh: connect to host board port 2222: Connection refused", 255, "runs no SSH server on port 2222"),
    ],
)
def test_each_cause_has_its_own_sentence(said: str, code: int, message: str) -> None:
    assert message in refusal(parse("ssh://pi@board"), code, said).message


@pytest.mark.parametrize(
    ("command", "flag"), [("ssh -n", "-n"), ("ssh -4fN", "-f"), ("ssh -F conf -tt", "-tt"), ("ssh -o A=b -N", "-N")]
)
def test_an_ssh_that_cannot_run_a_command_is_refused(command: str, flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", command)
    with pytest.raises(UsageError, match=f"has the option {flag}, with which"):
        program()


@pytest.mark.parametrize("command", ["ssh -F nfN", "ssh -Fconf -p 22 -4 -q -v", "ssh -i -n", "wrapper"])
def test_values_of_options_are_not_flags(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECHECK_SSH", command)
    assert program() == command.split()


def test_files_in_the_home_do_not_shadow_pythons_own(board: Board, model: Path) -> None:
    board.force(f'cd {board.home} && exec sh -c "$SSH_ORIGINAL_COMMAND"')
    for name in ("zlib", "json", "random", "types", "link", "store"):
        (board.home / f"{name}.py").write_text("raise SystemExit('shadowed')")
    with open_target(parse(board.address), profile()).launch(workload(model), silent) as lines:
        assert events(lines)[-1]["event"] == "done"


def test_what_a_device_prints_cannot_drive_the_terminal() -> None:
    said = "\x1b]0;owned\x07\x1b[31mNo\r\nsuch\u202e shell\r\n\r\n"
    assert printable(said) == "]0;owned[31mNo\nsuch shell"
    error = refusal(parse("ssh://pi@board"), 1, said)
    assert error.message.isprintable()


@pytest.mark.parametrize("said", ["ssh_dispatch_run_fatal: something new\r\n", ""])
def test_anything_else_is_passed_on_with_the_command_to_try(said: str) -> None:
    error = refusal(parse("ssh://pi@board"), 255, said)
    assert isinstance(error, TargetError)
    assert error.message.startswith("ssh did not get through to pi@board: ")
    assert error.hint == "Try it by hand: ssh pi@board true"
