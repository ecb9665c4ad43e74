"""The index of a mirror: its newest packages for a processor, checked by Debian's signature.

Only for what the lock cannot say: the successor of a package that is gone, and the next lock file. The format is
Debian's: https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from edgecheck.emulator import programs
from edgecheck.emulator.lock import Package
from edgecheck.emulator.mirrors import Mirror
from edgecheck.errors import EmulatorError

#: Suite of each archive, after the release's code name.
_SUITES = {"debian": "", "debian-security": "-security"}

#: Where distributions keep the keys of Debian's archive.
KEYRINGS = Path("/usr/share/keyrings")

Stanza = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The packages of one archive of a mirror."""

    archive: str
    stanzas: Mapping[str, Stanza]
    """The newest of each package, by its name."""
    signed: bool
    """Whether Debian's signature was checked; without it only the mirror's certificate vouches for the index."""

    def package(self, name: str, follows: str = "") -> Package:
        """The newest package of that name. Raises `KeyError` if there is none."""
        stanza = self.stanzas[name]
        return Package(
            name=name,
            version=stanza["Version"],
            archive=self.archive,
            path=stanza["Filename"],
            bytes=int(stanza["Size"]),
            sha256=stanza["SHA256"],
            follows=follows,
        )

    def needs(self, name: str) -> list[str]:
        """The packages that a package depends on, of alternatives the first."""
        stanza = self.stanzas[name]
        text = ", ".join(filter(None, (stanza.get("Pre-Depends"), stanza.get("Depends"))))
        return [re.split(r"[\s:(|]", each.strip(), maxsplit=1)[0] for each in text.split(",") if each.strip()]

    def successor(self, package: Package) -> Package:
        """The newest of the same package. Raises `KeyError` if there is none."""
        if not package.follows:
            return self.package(package.name)
        shape = re.escape(package.name)
        shape = re.sub(r"\d+", r"\\d+", shape)  # linux-image-6.1.0-56-cloud-arm64: the numbers differ
        names = [name for name in self.needs(package.follows) if re.fullmatch(shape, name)]
        return self.package((names or [package.follows])[0], package.follows)


def read(  # noqa: PLR0913, PLR0917 - each says where to look
    mirror: Mirror, archive: str, release: str, folder: Path, keyrings: Path = KEYRINGS, architecture: str = "arm64"
) -> Index:
    """Fetch and check the index of an archive.

    Args:
        mirror: Where it is fetched from.
        archive: `debian` or `debian-security`.
        release: Debian's code name.
        folder: Files are written here.
        keyrings: A folder with `debian-archive-keyring.*`.
        architecture: Debian's name of the processor: `arm64`, `amd64`.

    Raises:
        EmulatorError: it cannot be fetched, is not signed by Debian, or is not what was signed.
    """
    suite = f"dists/{release}{_SUITES[archive]}"
    top = _file(mirror, archive, f"{suite}/InRelease", folder / "InRelease")
    text, signed = _checked(top, mirror, folder, keyrings)
    name = f"main/binary-{architecture}/Packages.xz"
    found = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(name)}$", text, re.MULTILINE)
    if found is None:
        raise EmulatorError(f"{mirror.url(archive, suite)} lists no packages for {architecture}.", _HINT)
    packed = _file(mirror, archive, f"{suite}/{name}", folder / "Packages.xz").read_bytes()
    if hashlib.sha256(packed).hexdigest() != found[1]:
        raise EmulatorError(f"{mirror.url(archive, suite)}/{name} is not what its signature is for.", _HINT)
    stanzas = _stanzas(lzma.decompress(packed).decode())
    latest: dict[str, Stanza] = {}
    for stanza in stanzas:
        known = latest.get(stanza["Package"])
        if known is None or _Order(stanza["Version"]) > _Order(known["Version"]):
            latest[stanza["Package"]] = stanza
    return Index(archive=archive, stanzas=latest, signed=signed)


_HINT = "Try again later, or name another mirror in EDGECHECK_DEBIAN_MIRRORS."


def _file(mirror: Mirror, archive: str, path: str, place: Path) -> Path:
    place.unlink(missing_ok=True)
    url = mirror.url(archive, path)
    if reason := mirror.fetch({place: url})[place]:
        raise EmulatorError(f"{url} cannot be fetched: {reason}.", _HINT)
    return place


def _checked(release: Path, mirror: Mirror, folder: Path, keyrings: Path) -> tuple[str, bool]:
    """The text that was signed, and whether the signature was checked."""
    rings = sorted(keyrings.glob("debian-archive-keyring.*"))
    if programs.find("gpgv") is None or not rings:
        if not mirror.address.startswith("https:"):
            raise EmulatorError(
                f"The index of {mirror.address} cannot be trusted: this host cannot check Debian's signature.",
                "Install gpgv and debian-archive-keyring, or name a mirror with https in EDGECHECK_DEBIAN_MIRRORS.",
            )
        return release.read_text(encoding="utf-8", errors="replace"), False
    plain = folder / "Release"
    plain.unlink(missing_ok=True)
    try:
        programs.run(("gpgv", "--quiet", "--keyring", str(rings[0]), "--output", str(plain), str(release)))
    except EmulatorError as error:
        raise EmulatorError(f"The index of {mirror.address} is not signed by Debian. {error.message}", _HINT) from error
    return plain.read_text(encoding="utf-8"), True


def _stanzas(text: str) -> Iterator[Stanza]:
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", block, re.MULTILINE))
        if "Package" in fields:
            yield fields


class _Order:
    """A Debian version, ordered as deb-version(7) says."""

    def __init__(self, version: str) -> None:
        epoch, colon, rest = version.partition(":")
        self._parts = (epoch if colon else "0", *_split(rest if colon else version))

    def __gt__(self, other: _Order) -> bool:
        for mine, theirs in zip(self._parts, other._parts, strict=True):
            if (order := _compare(mine, theirs)) != 0:
                return order > 0
        return False


def _split(version: str) -> tuple[str, str]:
    """Upstream version and revision."""
    upstream, dash, revision = version.rpartition("-")
    return (upstream, revision) if dash else (version, "0")


def _compare(first: str, second: str) -> int:
    """Alternating pieces without and with digits; a tilde sorts before the end, letters before everything else."""
    pieces = [re.findall(r"(\D*)(\d*)", part) for part in (first, second)]
    for mine, theirs in zip_longest(*pieces, fillvalue=("", "")):
        words = [[*map(_weight, piece[0]), 0] for piece in (mine, theirs)]
        numbers = [int(piece[1] or 0) for piece in (mine, theirs)]
        for pair in (words, numbers):
            if pair[0] != pair[1]:
                return 1 if pair[0] > pair[1] else -1  # type: ignore[operator]
    return 0


def _weight(letter: str) -> int:
    return -1 if letter == "~" else ord(letter) if letter.isalpha() else ord(letter) + 256


def newest(name: str, indexes: Sequence[Index]) -> Index:
    """The index with the newest package of that name.

    Raises:
        EmulatorError: it is in no index.
    """
    having = [index for index in indexes if name in index.stanzas]
    if not having:
        raise EmulatorError(f"No mirror has the package {name}.", _HINT)
    best = having[0]
    for index in having[1:]:
        if _Order(index.stanzas[name]["Version"]) > _Order(best.stanzas[name]["Version"]):
            best = index
    return best


def closure(roots: Sequence[str], indexes: Sequence[Index], leave_out: Container[str] = ()) -> list[Package]:
    """The newest of the packages `roots` and of all that they depend on, by name. Raises as `newest`."""
    found: dict[str, Package] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in leave_out:
            best = newest(name, indexes)
            found[name] = best.package(name)
            waiting += best.needs(name)
    return [found[name] for name in sorted(found)]
