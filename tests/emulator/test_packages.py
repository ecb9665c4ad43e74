"""The guest's packages from mirrors that work and that fail, and how they are unpacked.

Also covers `mirrors.py`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.emulator import mirrors, packages
from edgecheck.errors import EmulatorError
from tests.emulator import debian_mirror
from tests.emulator.debian_mirror import BUSYBOX, PYTHON, Mirror, deb, lock, package

FIRST, SECOND = deb(BUSYBOX), deb(PYTHON, {"usr/bin/python3": "python3.11"})
ONE, TWO = package("busybox-static", FIRST), package("python3.11-minimal", SECOND)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror that has both packages."""
    with debian_mirror.serving() as served:
        served.add(ONE, FIRST)
        served.add(TWO, SECOND)
        yield served


def at(*served: Mirror) -> list[mirrors.Mirror]:
    return [mirrors.Mirror(each.address) for each in served]


def obtain(folder: Path, *served: Mirror) -> packages.Obtained:
    return packages.obtain(lock(ONE, TWO), at(*served), folder, print)


def test_packages_are_what_the_lock_names(mirror: Mirror, tmp_path: Path) -> None:
    found = obtain(tmp_path, mirror)

    assert [file.read_bytes() for file in found.files] == [FIRST, SECOND]
    assert found.packages == (ONE, TWO)
    assert found.replaced == ()


def test_what_one_mirror_lacks_comes_from_the_next(mirror: Mirror, tmp_path: Path) -> None:
    with debian_mirror.serving() as second:
        second.files = dict(mirror.files)
        del mirror.files[f"/debian/{TWO.path}"]
        found = obtain(tmp_path, mirror, second)

        assert second.asked == [f"/debian/{TWO.path}"]
    assert [file.read_bytes() for file in found.files] == [FIRST, SECOND]


def test_a_wrong_byte_is_an_error_that_names_package_and_address(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[f"/debian/{TWO.path}"] = SECOND[:-1] + b"?"

    with pytest.raises(EmulatorError) as caught:
        obtain(tmp_path, mirror)

    assert caught.value.message == (
        f"The package python3.11-minimal of the emulated machine could not be fetched. {mirror.address}/{TWO.path}: "
        f"it sent a file with the sha256 {package('x', SECOND[:-1] + b'?').sha256[:12]}…, and the lock says "
        f"{TWO.sha256[:12]}…."
    )
    assert caught.value.hint == packages.HINT
    assert not (tmp_path / TWO.file).exists()


def test_a_wrong_digest_in_the_lock_is_an_error_too(mirror: Mirror, tmp_path: Path) -> None:
    wrong = lock(replace(ONE, sha256="0" * 64), TWO)

    with pytest.raises(EmulatorError, match=r"busybox-static of .* the lock says 000000000000…"):
        packages.obtain(wrong, at(mirror), tmp_path, print)


def test_half_a_download_and_a_web_page_are_not_packages(mirror: Mirror, tmp_path: Path) -> None:
    mirror.short.add(f"/debian/{ONE.path}")
    with pytest.raises(EmulatorError, match=r"busybox-static of .*cut short at \d+ of \d+ bytes"):
        obtain(tmp_path, mirror)
    assert not list(tmp_path.glob("*.part"))

    mirror.short.clear()
    mirror.files = dict.fromkeys(mirror.files, b"<html>Please log in</html>")
    with pytest.raises(EmulatorError, match=r"busybox-static \(and 1 more\) of .*it sent 26 bytes, and"):
        obtain(tmp_path, mirror)


def test_a_mirror_that_does_not_answer_is_followed_by_the_next(mirror: Mirror, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        silent = replace(mirror, address=f"http://127.0.0.1:{closed.getsockname()[1]}/debian")
        assert len(obtain(tmp_path / "a", silent, mirror).files) == 2
        with pytest.raises(EmulatorError, match="Connection refused"):
            obtain(tmp_path / "b", silent)


@pytest.mark.slow  # it may start apt
@pytest.mark.parametrize("through_apt", [False, True])
def test_a_mirror_that_never_answers_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, through_apt: bool
) -> None:
    if through_apt and not mirrors.has_apt():
        pytest.skip("this host has no apt")
    monkeypatch.setattr(mirrors, "_SILENCE", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mirror = mirrors.Mirror(f"http://127.0.0.1:{silent.getsockname()[1]}/debian", through_apt=through_apt)
        with pytest.raises(EmulatorError, match=r"busybox-static \(and 1 more\) of .*(timed out|Connection failed)"):
            packages.obtain(lock(ONE, TWO), [mirror], tmp_path, print)
        silent.settimeout(5)
        asked = set()  # apt asks twice for one file
        with contextlib.suppress(TimeoutError):
            while True:
                with silent.accept()[0] as connection:
                    asked.add(connection.recv(4096).split()[1].decode())
                silent.settimeout(0.2)
    assert asked == {f"/debian/{ONE.path}"}


def test_without_any_mirror_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="No mirror of Debian is known"):
        obtain(tmp_path)


def test_the_mirrors_that_the_user_names_are_the_only_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mirrors.VARIABLE, "http://one/debian/  https://two/mirror/debian")

    first, second = mirrors.mirrors("20260101T000000Z")
    assert first.url("debian", "pool/x") == "http://one/debian/pool/x"
    assert second.url("debian-security", "pool/x") == "https://two/mirror/debian-security/pool/x"


def test_debians_list_of_mirrors() -> None:
    page = """<a href="/">home</a> <tr><td><a rel="nofollow" href="http://ftp.example.org/debian/">ftp.example.org</a>
        </td><td>amd64 arm64 i386</td></tr>
        <tr><td><a href="http://old.example.org/debian/">old</a></td><td>amd64 i386</td></tr>"""

    assert mirrors.listed(page) == ["http://ftp.example.org/debian"]
    assert mirrors.listed(page.replace("arm64", "")) == [
        "http://ftp.example.org/debian",
        "http://old.example.org/debian",
    ]
    assert mirrors.listed("<html>gone</html>") == []


@pytest.mark.parametrize("kind", ["xz", "gz"])
def test_unpacking_leaves_out_what_the_machine_does_not_read(tmp_path: Path, kind: str) -> None:
    for number, content in enumerate((deb(BUSYBOX, kind=kind), SECOND)):
        (tmp_path / f"{number}.deb").write_bytes(content)
    packages.unpack(sorted(tmp_path.glob("*.deb")), tmp_path / "tree")

    found = {str(path.relative_to(tmp_path / "tree")) for path in (tmp_path / "tree").rglob("*") if not path.is_dir()}
    assert found == {"bin/busybox", "usr/bin/python3", "usr/bin/python3.11", "usr/lib/python3.11/os.py"}
    assert (tmp_path / "tree/usr/bin/python3").readlink() == Path("python3.11")
    assert (tmp_path / "tree/bin/busybox").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"rubbish", "it does not begin as one"),
        (FIRST[:70], "it has no data.tar"),
        (deb({"../../etc/passwd": b"root"}), "leads out of it"),
        (deb({"/etc/passwd": b"root"}).replace(b"unread", b"unread"), ""),
    ],
)
def test_what_is_not_a_package_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "x.deb").write_bytes(content)

    if not problem:
        packages.unpack([tmp_path / "x.deb"], tmp_path / "tree")
        assert (tmp_path / "tree/etc/passwd").read_bytes() == b"root"  # `.//etc` is below the folder
        return
    with pytest.raises(EmulatorError, match=rf"x\.deb is not a usable Debian package: .*{problem}"):
        packages.unpack([tmp_path / "x.deb"], tmp_path / "tree")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a key to sign with, and a keyring under the name of Debian's."""
    if not all(map(shutil.which, ("gpg", "gpgv"))):
        pytest.skip("gpg or gpgv is not installed")
    home = tmp_path_factory.mktemp("keys")
    home.chmod(0o700)
    gpg(home, "--passphrase", "", "--quick-generate-key", "archive@example.org", "ed25519", "sign")
    (home / "debian-archive-keyring.gpg").write_bytes(gpg(home, "--export"))
    yield home
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)  # it stays for the next signature


def gpg(home: Path, *words: str, stdin: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *words]
    return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


@pytest.fixture
def moved_on(mirror: Mirror, keys: Path) -> Mirror:
    """A mirror that has a newer busybox, and no more the one of the lock."""
    newer = deb(BUSYBOX | {"bin/more": b"1"})
    new = package("busybox-static", newer, "1.0+deb12u1")
    index = debian_mirror.packages_index(package("busybox-static", FIRST, "0.9"), new, TWO)
    suite = "/debian/dists/bookworm"
    mirror.files[f"{suite}/main/binary-arm64/Packages.xz"] = index
    mirror.files[f"{suite}/InRelease"] = gpg(keys, "--clearsign", stdin=debian_mirror.release(index))
    del mirror.files[f"/debian/{ONE.path}"]
    mirror.add(new, newer)
    return mirror


@pytest.mark.slow
def test_a_package_that_is_nowhere_any_more_gives_way_to_its_successor(
    moved_on: Mirror, keys: Path, tmp_path: Path
) -> None:
    found = packages.obtain(lock(ONE, TWO), at(moved_on), tmp_path, print, keys)

    assert [each.version for each in found.packages] == ["1.0+deb12u1", "1.0"]
    assert found.replaced == ("busybox-static 1.0 is on no mirror any more: busybox-static 1.0+deb12u1 took its place",)


@pytest.mark.slow
def test_an_index_that_debian_did_not_sign_is_not_believed(moved_on: Mirror, keys: Path, tmp_path: Path) -> None:
    release = "/debian/dists/bookworm/InRelease"
    signed = moved_on.files[release]
    for changed in (signed.replace(b"Origin: Debian", b"Origin: Nobody"), b"<html>Please log in</html>"):
        moved_on.files[release] = changed
        with pytest.raises(EmulatorError, match=r"on no mirror any more, and no successor .* is not signed by Debian"):
            packages.obtain(lock(ONE, TWO), at(moved_on), tmp_path, print, keys)

    moved_on.files[release] = signed
    moved_on.files["/debian/dists/bookworm/main/binary-arm64/Packages.xz"] += b"?"
    with pytest.raises(EmulatorError, match="is not what its signature is for"):
        packages.obtain(lock(ONE, TWO), at(moved_on), tmp_path, print, keys)


@pytest.mark.slow
def test_without_debians_keys_an_index_over_plain_http_is_not_believed(moved_on: Mirror, tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="cannot be trusted: this host cannot check Debian's signature"):
        packages.obtain(lock(ONE, TWO), at(moved_on), tmp_path, print, tmp_path)
