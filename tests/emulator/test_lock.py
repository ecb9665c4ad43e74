"""The lock file: what it holds, and what is not one.

Also covers `index.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.emulator import index, lock
from edgecheck.errors import EmulatorError
from tests.emulator.debian_mirror import package


def test_our_own_names_everything_that_the_machine_needs() -> None:
    own = lock.own()
    names = [each.name for each in own.packages]

    assert (own.release, own.architecture, own.python) == ("bookworm", "arm64", "3.11")
    assert {"busybox-static", "libc6", "libgomp1", "libstdc++6", "python3.11-minimal"} <= set(names)
    assert [name for name in names if name.startswith("linux-image-")] == names[-1:]
    assert own.packages[-1].follows == "linux-image-cloud-arm64"
    assert len(names) == len(set(names))
    assert lock.parse(own.text()) == own


def test_its_content_is_its_packages_not_where_or_when_they_were_found() -> None:
    own = lock.own()

    assert replace(own, time="20300101T000000Z").content == own.content
    assert replace(own, packages=own.packages[1:]).content != own.content


def test_the_gitlab_templates_cache_is_named_for_it(root: Path) -> None:
    text = (root / "templates/edgecheck.gitlab-ci.yml").read_text(encoding="utf-8")

    assert f"EDGECHECK_GUEST: {lock.own().content[:16]}\n" in text  # tools/lock_guest.py writes both


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain["packages"][0].update(sha256="abc"),
        lambda plain: plain["packages"][0].update(path="../../etc/passwd"),
        lambda plain: plain["packages"][0].pop("version"),
        lambda plain: plain["packages"].append("busybox"),
        lambda plain: plain.pop("packages"),
        lambda plain: plain.update(packages=None),
    ],
)
def test_a_damaged_lock_is_reported(change: object) -> None:
    plain = json.loads(lock.own().text())
    change(plain)  # type: ignore[operator]

    with pytest.raises(EmulatorError, match="lock file of the emulated machine cannot be read"):
        lock.parse(json.dumps(plain))
    with pytest.raises(EmulatorError, match="lock file of the emulated machine cannot be read"):
        lock.parse(lock.own().text()[:-30])


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0", "1.1"),
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0+deb12u1"),
        ("1.0+deb12u9", "1.0+deb12u14"),
        ("9.0", "1:1.0"),
        ("3.0.22-1~deb12u2", "3.0.22-1"),
        ("1.0-1", "1.0-1+b1"),
        ("1.0a", "1.0+"),
        ("6.1.9-1", "6.1.192-2"),
    ],
)
def test_versions_are_ordered_as_debians_are(older: str, newer: str) -> None:
    stanzas = [{"Package": "x", "Version": version} for version in (older, newer)]
    indexes = [index.Index(archive="debian", stanzas={"x": stanza}, signed=True) for stanza in stanzas]

    assert index.newest("x", indexes) is indexes[1]
    assert index.newest("x", indexes[::-1]) is indexes[1]


def test_the_closure_takes_the_first_alternative_and_leaves_out_what_it_is_told() -> None:
    def stanza(name: str, depends: str = "") -> dict[str, str]:
        fields = {"Package": name, "Version": "1", "Filename": f"pool/{name}.deb", "Size": "1", "SHA256": "0" * 64}
        return fields | ({"Depends": depends} if depends else {})

    rows = (stanza("a", "b (>= 1.0), c | d, dpkg"), stanza("b", "a:any"), stanza("c"), stanza("d"), stanza("dpkg"))
    one = index.Index(archive="debian", stanzas={row["Package"]: row for row in rows}, signed=True)

    assert [each.name for each in index.closure(["a"], [one], leave_out={"dpkg"})] == ["a", "b", "c"]
    with pytest.raises(EmulatorError, match="No mirror has the package e"):
        index.closure(["e"], [one])


def test_the_successor_of_a_kernel_has_another_name() -> None:
    rows = {
        "linux-image-cloud-arm64": {"Depends": "linux-image-6.1.0-57-cloud-arm64 (= 6.1.200-1)"},
        "linux-image-6.1.0-57-cloud-arm64": {
            "Version": "6.1.200-1",
            "Filename": "pool/linux.deb",
            "Size": "5",
            "SHA256": "1" * 64,
        },
    }
    found = index.Index(archive="debian", stanzas=rows, signed=True)
    old = package("linux-image-6.1.0-56-cloud-arm64", b"", follows="linux-image-cloud-arm64")

    assert found.successor(old).name == "linux-image-6.1.0-57-cloud-arm64"
    with pytest.raises(KeyError):
        found.successor(package("busybox-static", b""))
