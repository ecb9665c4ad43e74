"""What a sealed process can and cannot do, tried in real ones. Covers `sealing`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecheck import seal, sealing

#: Does one thing, and prints how it went.
_TRY = """
import os, socket, sys
def go():
{body}
try:
    print("did", go())
except OSError as error:
    print(type(error).__name__)
"""


#: What a refused system call raises. With bubblewrap, other processes are not even there.
REFUSALS = ("PermissionError", "OSError", "FileNotFoundError", "ProcessLookupError")


@pytest.fixture(params=["landlock", "bubblewrap"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both kinds of seal: for bubblewrap, the kernel is taken to have no Landlock."""
    if request.param == "bubblewrap":
        monkeypatch.setattr(sealing, "version", lambda: 0)
    seal.kind.cache_clear()
    yield request.param
    monkeypatch.undo()
    seal.kind.cache_clear()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


@pytest.fixture
def others(tmp_path: Path) -> Path:
    file = tmp_path / "others.txt"
    file.write_text("theirs")
    return file


def sealed(body: str, own: Path, **variables: str) -> str:
    code = _TRY.format(body="\n".join(f"    {line}" for line in body.splitlines()))
    line = seal.command([sys.executable, "-c", code], [str(own)], largest_file=1 << 20)
    environment = seal.environment(os.environ | variables)
    done = subprocess.run(line, capture_output=True, text=True, check=True, env=environment, timeout=60)
    return done.stdout.strip()


@pytest.mark.slow
def test_this_machine_can_seal(kind: str) -> None:
    assert seal.kind() == kind, "`make system` installs bubblewrap"


def test_it_writes_into_its_own_folder(own: Path) -> None:
    assert sealed(f"return open({str(own / 'new')!r}, 'w').write('abc')", own) == "did 3"
    assert (own / "new").read_text() == "abc"


@pytest.mark.parametrize(
    "body",
    [
        "open({other!r}, 'w')",
        "open({other!r}, 'a')",
        "open({folder!r} + '/new', 'w')",
        "os.truncate({other!r}, 0)",
        "os.unlink({other!r})",
        "os.rename({other!r}, {own!r} + '/moved')",
        "os.link({other!r}, {own!r} + '/linked'); open({own!r} + '/linked', 'w')",
        "os.symlink({other!r}, {own!r} + '/link'); open({own!r} + '/link', 'w')",
        "os.mkdir({folder!r} + '/new')",
        "os.mkfifo({folder!r} + '/new')",
        "open('/proc/{test}/environ', 'rb').read()",
        "open('/proc/{test}/mem', 'rb')",
        "os.mknod({own!r} + '/disk', 0o60600, os.makedev(8, 0)); open({own!r} + '/disk', 'rb')",
        "os.kill({test}, 0)",
        "socket.socket()",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "os.chroot({own!r})",
        "open({own!r} + '/large', 'wb').write(bytes(2 << 20))",
    ],
)
def test_it_reaches_nothing_else(body: str, own: Path, others: Path) -> None:
    said = sealed(body.format(other=str(others), own=str(own), folder=str(others.parent), test=os.getpid()), own)
    assert said in REFUSALS, said
    assert others.read_text() == "theirs"
    assert sorted(others.parent.iterdir()) == [others, own]


def test_what_it_starts_is_sealed_too(own: Path, others: Path) -> None:
    body = f"import subprocess\nreturn subprocess.run(['sh', '-c', 'echo x >> {others}; unshare -r true']).returncode"
    assert sealed(body, own) == "did 1"
    assert others.read_text() == "theirs"


@pytest.mark.parametrize(
    "body",
    [
        "open('/dev/null', 'w').write('x')",
        "socket.socketpair()",
        "import threading; each = threading.Thread(target=abs, args=(1,)); each.start(); each.join()",
        "import shutil; shutil.copy2({other!r}, {own!r} + '/copy')",
        "import multiprocessing; multiprocessing.Pool(1).map(abs, [1])",
        "open({other!r}).read()",
    ],
)
def test_what_frameworks_do_still_works(body: str, own: Path, others: Path) -> None:
    assert sealed(body.format(other=str(others), own=str(own)), own).splitlines()[-1].startswith("did")


def test_pretended_changes_of_a_mode_change_nothing(own: Path, others: Path) -> None:
    before = others.stat().st_mode
    assert sealed(f"os.chmod({str(others)!r}, 0o777)", own) == "did None"
    assert others.stat().st_mode == before


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "TF_TOKEN_example", "HF_TOKEN", "SSH_AUTH_SOCK", "ACTIONS_ID"]
)
def test_secrets_stay_outside(name: str, own: Path) -> None:
    assert sealed(f"return os.environ.get({name!r})", own, **{name: "secret"}) == "did None"


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "OMP_NUM_THREADS", "LC_ALL", "EDGECHECK_LOCK"])
def test_what_steers_computing_gets_in(name: str, own: Path) -> None:
    assert sealed(f"return os.environ.get({name!r})", own, **{name: "1"}) == "did 1"


def test_how_it_ended_is_seen_through_the_seal(own: Path) -> None:
    for body, code in (("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9), ("os.abort()", -6)):
        line = seal.command([sys.executable, "-c", f"import os; {body}"], [str(own)])
        done = subprocess.run(line, capture_output=True, check=False, env=seal.environment(os.environ))
        assert seal.exit_code(done.returncode) == code


def test_without_any_seal_a_command_is_as_it_was(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "version", lambda: 0)
    monkeypatch.setenv("PATH", str(own))
    seal.kind.cache_clear()
    assert seal.kind() == ""
    assert seal.command(["/bin/true"], [str(own)]) == ["/bin/true"]


def test_a_seal_that_fails_starts_nothing(own: Path) -> None:
    (too_long,) = ["x" * 300]  # a name that the kernel refuses
    line = [*seal._script([too_long], 0), "/bin/touch", str(own / "started")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == seal.UNSEALED
    assert done.stderr.startswith("edgecheck: the process could not be sealed: ")
    assert not (own / "started").exists()
