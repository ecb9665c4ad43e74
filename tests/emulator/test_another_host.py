"""A check on another host, with another Python and another QEMU: Debian 13, in a root that mmdebstrap makes once.

That takes ten minutes, so it is made only where a folder for environments is named, and used from then on:
    EDGECHECK_ENVIRONMENTS=/tmp/environments python -m pytest tests/emulator/test_another_host.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path

from edgecheck.bundles import DevicePlatform, bundle_for
from edgecheck.config import Profiles
from edgecheck.emulator import programs
from edgecheck.emulator.mirrors import mirrors
from edgecheck.errors import EmulatorError
from edgecheck.store import Store, recorded
from examples.real_models import fetch
from tests.cli.command import EDGECHECK

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(900)]

DEVICE = "raspberry-pi-4-2gb"
RELEASE = "trixie"

#: What edgecheck imports, and what the emulated device needs.
PACKAGES = (
    *("python3-click", "python3-jinja2", "python3-numpy", "python3-packaging", "python3-pip-whl"),
    *("python3-platformdirs", "python3-psutil", "python3-rich", "python3-yaml", "qemu-system-arm", "e2fsprogs"),
)

#: In a mount namespace of its own: what a program finds in a booted Debian.
ENTER = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'


@pytest.fixture(scope="module")
def debian_13(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system, kept in the user's cache as a tar; unpacked here."""
    if programs.find("mmdebstrap") is None or os.geteuid() != 0:
        pytest.skip("needs mmdebstrap and root")
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    store = Store(folder=user_cache_path("edgecheck-test-debian") / "roots", what="Debian root", error=EmulatorError)
    if store.get(RELEASE) is None and "EDGECHECK_ENVIRONMENTS" not in os.environ:
        pytest.skip("takes ten minutes to make a Debian 13: set EDGECHECK_ENVIRONMENTS")
    place = tmp_path_factory.mktemp("debian") / "root"
    place.mkdir()
    tar = store.ensure(RELEASE, _build, print).folder / "root.tar"
    subprocess.run(["tar", "-C", str(place), "-xf", str(tar), "--exclude=./dev/*"], check=True)
    shutil.copy("/etc/resolv.conf", place / "etc/resolv.conf")
    for package in ("edgecheck", "edgecheck_agent", "device_profiles"):
        shutil.copytree(Path(__file__).parents[2] / package, place / "edgecheck" / package)
    return place


def _build(folder: Path) -> Mapping[str, Any]:
    mirror = next(iter(mirrors("")))
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", *leave_out]
    subprocess.run([*command, RELEASE, str(folder / "root.tar"), mirror.address], check=True)
    return {}


def test_another_hosts_figures_are_this_ones(debian_13: Path, tmp_path: Path) -> None:
    """It builds the guest through its own apt, whose release is not the guest's; only wheels come from this host.

    The model has enough instructions that the kernel's timer is well below a thousandth of them.
    """
    model = fetch("face_detection_back.tflite")
    bundle = bundle_for(Profiles().get(DEVICE).runtimes["tflite"], DevicePlatform("3.11", "aarch64"))
    wheels = bundle.path.parent
    shutil.copytree(wheels, debian_13 / "root/.cache/edgecheck/bundles/archives" / wheels.name)
    shutil.copy(model, debian_13 / "root/model.tflite")
    check = ("check", "model.tflite", "--device", DEVICE, "--target", "qemu", "--limit", "latency_p50=1s")
    inside = ["unshare", "--mount", "sh", "-c", ENTER, str(debian_13), "sh", "-c"]
    words = " ".join(("cd /root && exec python3 -m edgecheck", *check, "--format json"))
    done = subprocess.run(
        [*inside, words],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "PYTHONPATH": "/edgecheck", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr or done.stdout[:500]
    there = json.loads(done.stdout)["checks"][0]

    shutil.copy(model, tmp_path / "model.tflite")
    ours = subprocess.run([EDGECHECK, *check, "--format", "json"], check=True, cwd=tmp_path, capture_output=True).stdout
    here = json.loads(ours)["checks"][0]
    for metric, margin in (("instructions", 0.001), ("ram_peak", 0.005)):
        value = there["figures"][metric]["value"]
        assert value == pytest.approx(here["figures"][metric]["value"], rel=margin), metric
    disks = [home / "edgecheck/emulator/disks" for home in (debian_13 / "root/.cache", user_cache_path())]
    (made,) = disks[0].glob("bundle-*/disk.img")
    assert recorded(made) == recorded(disks[1] / made.parent.name / made.name)
    assert "other-python" not in {caveat["code"] for caveat in there["caveats"]}

    info = subprocess.run(
        [*inside, "python3 -m edgecheck emulator info"], check=True, capture_output=True, text=True,
        env={"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", "PYTHONPATH": "/edgecheck", "LANG": "C.UTF-8"},
    ).stdout  # fmt: skip
    assert re.search(r"^qemu +10\.", info, re.MULTILINE)
    assert re.search(r"^system +Python 3\.11, .* packages$", info, re.MULTILINE)
