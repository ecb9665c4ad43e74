"""A small mirror of Debian on the loopback, with packages made for the tests; it can fail in every way that one can."""

from __future__ import annotations

import contextlib
import hashlib
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edgecheck.emulator.lock import Lock, Package

BUSYBOX = {"bin/busybox": b"\x7fELF busy", "usr/share/doc/busybox/copyright": b"nobody reads it"}
PYTHON = {"usr/bin/python3.11": b"\x7fELF python", "usr/lib/python3.11/os.py": b"name = 'posix'\n"}


def deb(files: Mapping[str, bytes], links: Mapping[str, str] | None = None, kind: str = "xz") -> bytes:
    """A package as dpkg-deb writes it: an ar archive with two tars (deb(5))."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode = len(content), 0o755 if "/bin/" in f"/{name}" else 0o644
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    members = (("debian-binary", b"2.0\n"), ("control.tar.xz", b"unread"), (f"data.tar.{kind}", data.getvalue()))
    packed = b"!<arch>\n"
    for name, content in members:
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        packed += b"\n" * (len(content) % 2)
    return packed


def package(name: str, content: bytes, version: str = "1.0", follows: str = "") -> Package:
    path = f"pool/main/{name[0]}/{name}/{name}_{version}_arm64.deb"
    digest = hashlib.sha256(content).hexdigest()
    return Package(
        name=name, version=version, archive="debian", path=path, bytes=len(content), sha256=digest, follows=follows
    )


def lock(*packages: Package) -> Lock:
    return Lock(release="bookworm", architecture="arm64", python="3.11", time="20260101T000000Z", packages=packages)


def packages_index(*packages: Package, needs: str = "") -> bytes:
    text = "".join(
        f"Package: {each.name}\nVersion: {each.version}\nArchitecture: arm64\nFilename: {each.path}\n"
        f"Size: {each.bytes}\nSHA256: {each.sha256}\nDescription: made for a test\n second line\n\n"
        for each in packages
    )
    return lzma.compress((text + needs).encode())


def release(index: bytes) -> bytes:
    """The text of a Release file that is signed; the index has another digest for another algorithm, too."""
    name = "main/binary-arm64/Packages.xz"
    lines = ("Origin: Debian", "MD5Sum:", f" {'0' * 32} {len(index)} {name}", "SHA256:")
    return "\n".join((*lines, f" {hashlib.sha256(index).hexdigest()} {len(index)} {name}", "")).encode()


@dataclass
class Mirror:
    """What it serves, by path; and how it fails."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    short: set[str] = field(default_factory=set)
    """Paths of which only a half is sent."""
    asked: list[str] = field(default_factory=list)

    def add(self, each: Package, content: bytes) -> None:
        self.files[f"/debian/{each.path}"] = content


@contextlib.contextmanager
def serving() -> Iterator[Mirror]:
    """A mirror on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mirror.asked.append(self.path)
            content = mirror.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path in mirror.short else content)

        def log_message(self, *_words: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mirror = Mirror(f"http://127.0.0.1:{server.server_port}/debian")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mirror
        finally:
            server.shutdown()
            thread.join()
