"""Dockerfile.arm64 built for real: with buildah, which needs no daemon, on a base image that mmdebstrap makes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from edgecheck.errors import EmulatorError
from edgecheck.store import Store
from tests.cli.command import Done
from tests.docker import arm64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile.arm64"

#: As Debian's slim images are configured: without what nobody reads in a container.
_SLIM = (
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
)
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

#: Seconds after which the images of another Dockerfile are removed.
_STALE = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with private storage, in which the steps that did not change are kept from run to run."""

    storage: Path
    scratch: Path

    def build(self, stage: str, *options: str) -> str:
        """Build a stage as README and the documentation say; returns the image's name."""
        name = f"edgecheck-{stage}"
        # The certificates that this host trusts, as somebody behind a company's proxy would mount them.
        trusted = ("--volume", f"{_CERTIFICATES}:/usr/local/share/ca-certificates/host.crt:ro")
        self.buildah(
            *("build", "--isolation", "chroot", "--platform", "linux/arm64", "--pull-never", "--layers", "--jobs", "2"),
            *(trusted if _CERTIFICATES.exists() else ()),
            *("--target", stage, "--tag", name, *options, "--file", str(DOCKERFILE), str(ROOT)),
        )
        return name

    def described(self, image: str) -> dict[str, Any]:
        """The image's configuration in OCI's format."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", image))["OCIv1"]
        return found

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        """A fresh container of the image."""
        name = self.buildah("from", "--pull-never", image).strip()
        try:
            yield name
        finally:
            self.buildah("rm", name)

    def buildah(self, *argv: str) -> str:
        """What buildah prints."""
        done = self.attempt(*argv)
        assert done.code == 0, f"{done.out[-4000:]}\n{done.err[-4000:]}"
        return done.out

    def attempt(self, *argv: str) -> Done:
        """How buildah ended and what it wrote."""
        place = ("--root", str(self.storage), "--runroot", str(self.scratch / "run"), "--storage-driver", _driver())
        done = arm64.run("buildah", *place, *argv, folder=self.scratch)
        return Done(done.returncode, done.stdout, done.stderr)


def builder(scratch: Path) -> Builder:
    """A builder with the base image in its storage, made if the cache has none."""
    home = user_cache_path("edgecheck-test-image")
    name = re.search(r"^FROM (debian:(\w+)-\S+) AS base$", DOCKERFILE.read_text(), re.MULTILINE)
    assert name is not None
    recipe = [path.read_bytes() for path in (Path(__file__), DOCKERFILE)]
    key = hashlib.sha256(b"\0".join(recipe)).hexdigest()[:16]
    found = Builder(home / "storage" / key, scratch)
    _forget_others(found.storage)
    if found.attempt("inspect", "--type", "image", name[1]).code:
        store = Store(folder=home / "bases", what="base image", error=EmulatorError)
        base = store.ensure(hashlib.sha256(recipe[0]).hexdigest()[:16], _base(name[2], scratch), print)
        (scratch / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        with tempfile.TemporaryDirectory(dir=scratch) as context:
            shutil.copyfile(base.folder / "base.tar", Path(context) / "base.tar")
            found.buildah(
                *(
                    "build",
                    "--isolation",
                    "chroot",
                    "--platform",
                    "linux/arm64",
                    "--tag",
                    f"docker.io/library/{name[1]}",
                ),
                *("--file", str(scratch / "Dockerfile"), context),
            )
    return found


def _base(suite: str, scratch: Path) -> Any:
    def build(folder: Path) -> Mapping[str, Any]:
        sources = scratch / "sources.list"
        sources.write_text("".join(_sources(suite)))
        arguments = ("--architectures=arm64", "--variant=apt", "--mode=root", "--skip=check/qemu", *_SLIM)
        tar = folder / "base.tar"
        done = arm64.run("mmdebstrap", *arguments, suite, str(tar), str(sources), folder=scratch)
        assert done.returncode == 0, done.stderr[-4000:]
        return {"suite": suite}

    return build


def _sources(suite: str) -> list[str]:
    """The lines of a sources.list for the suite, with this host's mirrors."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return sorted({f"{line}\n" for line in listed if line.split()[2].partition("-")[0] == suite})


def _driver() -> str:
    """overlay, which copies nothing; vfs where this disk is an overlay already, as in a container."""
    kind = subprocess.run(
        ["stat", "--file-system", "--format", "%T", str(user_cache_path())], check=False, capture_output=True, text=True
    ).stdout.strip()
    return "vfs" if kind in {"overlayfs", "overlay"} else "overlay"


def _forget_others(storage: Path) -> None:
    storage.mkdir(parents=True, exist_ok=True)
    os.utime(storage)
    for other in storage.parent.iterdir():
        if time.time() - other.stat().st_mtime > _STALE:
            shutil.rmtree(other, ignore_errors=True)
