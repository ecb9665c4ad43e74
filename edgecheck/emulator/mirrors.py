"""Where Debian's packages come from: the mirrors in order of preference, and how files are fetched from them.

A host with apt fetches through it, with its proxies, certificates and credentials, whatever its own release is. Nothing
that is fetched is trusted: digests are checked afterwards.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from shutil import copyfileobj

from edgecheck.emulator import programs

#: Addresses of mirrors, to use instead of all others: `http://mirror.example/debian`, separated by spaces.
VARIABLE = "EDGECHECK_DEBIAN_MIRRORS"

#: Debian's own list of its public mirrors, and its archive of everything that was ever on them.
_LIST = "https://www.debian.org/mirror/list"
_SNAPSHOTS = "https://snapshot.debian.org/archive"

#: Of the list, which is long: where one mirror of Debian lacks a package the others do too.
_MOST_PUBLIC = 3

_APT_HELPER = Path("/usr/lib/apt/apt-helper")

#: Seconds without a byte until a mirror counts as not answering.
_SILENCE = 30.0

_AT_ONCE = 4

Fetched = dict[Path, str]
"""For each place that a file was to be written to, why it was not; empty where it was."""

#: What a reason begins with if the mirror answered that it does not have the file.
GONE = "not found"

_CUT_SHORT = "cut short"


@dataclass(frozen=True, slots=True)
class Mirror:
    """One mirror of Debian's archives."""

    address: str
    """Of the folder `debian`, without a slash at its end."""
    security: str = ""
    """Of the folder `debian-security`, where it is not next to `debian`."""
    through_apt: bool = False

    def url(self, archive: str, path: str) -> str:
        """The address of a file of an archive: `debian` or `debian-security`."""
        if archive == "debian":
            return f"{self.address}/{path}"
        return f"{self.security or self.address.rpartition('/')[0] + '/' + archive}/{path}"

    def fetch(self, wanted: Mapping[Path, str]) -> Fetched:
        """Write files, by place and address; what could not be fetched has a reason.

        The first is fetched alone: a mirror that does not answer is not waited for once per file.

        Raises:
            OSError: the disk is full.
        """
        how = _through_apt if self.through_apt else _over_http
        first = dict([*wanted.items()][:1])
        fetched = how(first)
        rest = {place: url for place, url in wanted.items() if place not in first}
        if any(map(_no_answer, fetched.values())):
            return dict.fromkeys(wanted, *fetched.values())
        return fetched | how(rest) if rest else fetched


def mirrors(time: str) -> Iterator[Mirror]:
    """The mirrors to ask, the best first; the last is the archive of snapshots as it was at `time`."""
    if chosen := os.environ.get(VARIABLE, "").split():
        yield from (Mirror(address.rstrip("/")) for address in chosen)
        return
    yield from _of_apt()
    yield from _public()
    yield Mirror(f"{_SNAPSHOTS}/debian/{time}", f"{_SNAPSHOTS}/debian-security/{time}", through_apt=has_apt())


def has_apt() -> bool:
    """Whether this host's apt can fetch files by their address."""
    return _APT_HELPER.is_file() and programs.find("apt-get") is not None


def _of_apt() -> Iterator[Mirror]:
    """The mirrors of Debian in the host's sources; on a host of another distribution its mirrors are none."""
    if not has_apt():
        return
    listing = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"],
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    bases = dict.fromkeys(line.rstrip("/") for line in listing.split())
    security = [base for base in bases if "security" in base]
    for base in bases:
        if base not in security and "debian" in base.rpartition("/")[2]:
            yield Mirror(base, security[0] if security else "", through_apt=True)


def _public() -> Iterator[Mirror]:
    """A few of Debian's public mirrors for arm64, from Debian's list."""
    try:
        with urllib.request.urlopen(_LIST, timeout=_SILENCE) as answer:
            page = answer.read(1 << 20).decode(errors="replace")
    except (OSError, HTTPException):
        return
    yield from (Mirror(address, through_apt=has_apt()) for address in listed(page)[:_MOST_PUBLIC])


def listed(page: str) -> list[str]:
    """The addresses of the folder `debian` in Debian's list of mirrors, those for arm64 alone where it says so."""
    rows = re.findall(r'href="(https?://[\w.:-]+/debian)/?"(.*?)(?=href="|\Z)', page, re.DOTALL)
    suitable = [address for address, rest in rows if re.search(r"\b(arm64|all)\b", rest)]
    return list(dict.fromkeys(suitable or [address for address, _ in rows]))


def _no_answer(reason: str) -> bool:
    """Whether it is the mirror that is out of reach, and not a file that it lacks or sends badly."""
    return bool(reason) and not re.match(rf"{GONE}|{_CUT_SHORT}|(HTTP )?\d{{3}} ", reason)


def _over_http(wanted: Mapping[Path, str]) -> Fetched:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(_fetched, wanted.values(), wanted), strict=True))


def _fetched(url: str, place: Path) -> str:
    aside = place.with_name(place.name + ".part")
    try:
        with urllib.request.urlopen(url, timeout=_SILENCE) as answer, aside.open("wb") as file:  # noqa: S310
            copyfileobj(answer, file)
            expected = answer.headers.get("Content-Length", "")
            if expected.isdigit() and int(expected) != file.tell():
                return f"{_CUT_SHORT} at {file.tell()} of {expected} bytes"
        aside.replace(place)
    except urllib.error.HTTPError as error:
        error.close()
        return f"{GONE} (HTTP {error.code})" if error.code in (404, 410) else f"HTTP {error.code} {error.reason}"
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        return getattr(cause, "strerror", "") or str(cause) or type(error).__name__
    finally:
        aside.unlink(missing_ok=True)
    return ""


def _through_apt(wanted: Mapping[Path, str]) -> Fetched:
    """All in one call. apt may write what a failed address sent, and its messages name the address."""
    words = [word for place, url in wanted.items() for word in (url, str(place), "")]
    done = subprocess.run(
        [str(_APT_HELPER), "-o", "APT::Sandbox::User=root", "-o", f"Acquire::http::Timeout={_SILENCE:.0f}",
         "-o", f"Acquire::https::Timeout={_SILENCE:.0f}", "-o", "Acquire::Retries=0", "download-file", *words],
        check=False, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if (full := os.strerror(errno.ENOSPC)) in done.stderr:
        raise OSError(errno.ENOSPC, full)
    reasons = _complaints(done.stderr + done.stdout)
    return {place: "" if place.is_file() else _reason(url, reasons, done.stderr) for place, url in wanted.items()}


def _complaints(text: str) -> dict[str, str]:
    """By address, why apt could not fetch it: `E: Failed to fetch URL  404  Not Found [IP: …]`."""
    found = re.findall(r"Failed to fetch (\S+)\s+(.*)", text)
    return {url: reason.partition(" [IP")[0] for url, reason in found}


def _reason(url: str, reasons: Mapping[str, str], text: str) -> str:
    reason = reasons.get(url) or (text.strip().splitlines() or ["apt fetched nothing"])[-1]
    return f"{GONE} ({reason})" if re.match(r"40[34]|410", reason) else reason
