"""The user's own ssh configuration works as in their shell: aliases, jump hosts, connections that are open already."""

from __future__ import annotations

import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.errors import TargetError
from edgecheck.targets import open_target
from edgecheck.targets.ssh import refusal
from tests.builders import profile
from tests.targets.sshd import USER
from tests.targets.tcp_relay import relayed
from tests.targets.workloads import comes_true, events, silent, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh


def check(address: str, model: Path) -> str:
    """How a check there ends."""
    with open_target(parse(address), profile()).launch(workload(model), silent) as lines:
        return str(events(lines)[-1]["event"])


def configure(board: Board, text: str) -> None:
    """Put `text` before what the configuration says already."""
    path = board.folder / "client.conf"
    path.write_text(text + path.read_text())


def test_an_alias(board: Board, model: Path) -> None:
    configure(board, f"Host rack+1\n HostName 127.0.0.1\n Port {board.port}\n User {USER}\n")
    assert check("ssh://rack+1", model) == "done"


def test_ipv6(boards: Callable[..., Board], model: Path) -> None:
    board = boards(settings="ListenAddress ::1\n")
    _, key = board.known_hosts.read_text().split(" ", 1)
    address = f"ssh://{USER}@[::1]:{board.port}"
    with pytest.raises(TargetError) as caught:
        check(address, model)
    assert caught.value.message == f"The host key of {USER}@::1 is not known here."
    (scan,) = re.findall(r"ssh-keyscan[^>]*", caught.value.hint)
    assert key.strip() in subprocess.run(scan.split(), capture_output=True, text=True, check=True).stdout
    board.known_hosts.write_text(f"[::1]:{board.port} {key}")
    assert check(address, model) == "done"


def test_the_key_of_an_alias_is_scanned_under_its_real_name(board: Board, model: Path) -> None:
    (_, key) = board.known_hosts.read_text().split(" ", 1)
    board.known_hosts.write_text("")
    configure(board, f"Host rack+1\n HostName 127.0.0.1\n Port {board.port}\n User {USER}\n")
    with pytest.raises(TargetError) as caught:
        check("ssh://rack+1", model)
    (scan,) = re.findall(r"ssh-keyscan[^>]*", caught.value.hint)
    assert scan == f"ssh-keyscan -p {board.port} 127.0.0.1 "
    assert key.strip() in subprocess.run(scan.split(), capture_output=True, text=True, check=True).stdout


def test_the_key_behind_a_jump_host_is_scanned_there(board: Board) -> None:
    configure(board, f"Host far\n HostName 10.0.0.9\n Port 2222\n ProxyJump {USER}@127.0.0.1:{board.port}\n")
    (scan,) = re.findall(r"in CI: (.*) >>", refusal(parse("ssh://far"), 255, "Host key verification failed.").hint)
    jump = f"ssh ssh://{USER}@127.0.0.1:{board.port} ssh-keyscan -p 2222 10.0.0.9"
    assert re.sub(r"['\[\]]", "", scan) == jump  # newer versions of ssh write the address in brackets


def test_a_jump_host(boards: Callable[..., Board], model: Path) -> None:
    far, near = boards("far"), boards("near")
    with near.known_hosts.open("a") as file:
        file.write(far.known_hosts.read_text())
    configure(
        near,
        f"Host far\n HostName 127.0.0.1\n Port {far.port}\n User {USER}\n IdentityFile {far.folder}/client_key\n"
        f" ProxyJump near\nHost near\n HostName 127.0.0.1\n Port {near.port}\n User {USER}\n",
    )
    assert check("ssh://far", model) == "done"
    assert (far.cache / "device").is_dir()
    assert not near.cache.exists()


def test_a_connection_that_is_open_already_is_used(board: Board, model: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ec-", dir="/tmp") as folder, relayed(board.port) as relay:
        board.know(relay.port)
        configure(board, f"ControlPath {folder}/%C\nControlMaster auto\n")
        argv = [*board.ssh.split(), "-N", "-M", "-p", str(relay.port), f"{USER}@127.0.0.1"]
        with subprocess.Popen(argv) as master:
            assert comes_true(lambda: list(Path(folder).iterdir()))
            for _ in range(2):
                assert check(f"ssh://{USER}@127.0.0.1:{relay.port}", model) == "done"
            assert relay.connections == 1
            assert master.poll() is None
            master.terminate()


def test_no_connection_is_left_open(board: Board, model: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ec-", dir="/tmp") as folder:
        configure(board, f"ControlPath {folder}/%C\nControlMaster auto\nControlPersist 1h\n")
        assert check(board.address, model) == "done"
        assert list(Path(folder).iterdir()) == []


def test_a_configuration_for_people_does_not_stand_in_the_way(board: Board, model: Path) -> None:
    configure(
        board,
        "RemoteCommand tmux attach\nRequestTTY force\nForwardX11 yes\nForwardAgent yes\n"
        f"LocalForward 127.0.0.1:{board.port} 127.0.0.1:1\nExitOnForwardFailure yes\n"
        "PermitLocalCommand yes\nLocalCommand touch pwned\n"
        "StdinNull yes\nForkAfterAuthentication yes\nSessionType none\n",
    )
    assert check(board.address, model) == "done"
    assert not Path("pwned").exists()


def test_two_boards_side_by_side(boards: Callable[..., Board], model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = boards("one"), boards("other")
    with one.known_hosts.open("a") as file:
        file.write(other.known_hosts.read_text())
    configure(one, f"IdentityFile {other.folder}/client_key\n")
    monkeypatch.setenv("EDGECHECK_SSH", one.ssh)
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(lambda board: check(board.address, model), (one, other))
        assert list(answers) == ["done", "done"]
