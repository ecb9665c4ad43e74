"""arm64 packages from the host's apt sources, without root: apt-get with separate state folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecheck.emulator import programs
from edgecheck.errors import EmulatorError

HINT = "Build the machine from Dockerfile.arm64 (stage `machine`) and run: edgecheck emulator import rootfs.tar"


@dataclass(frozen=True, slots=True)
class Archive:
    """The arm64 packages of the host's apt sources; apt writes only into `folder`."""

    folder: Path

    def refresh(self) -> None:
        """Read the host's sources for arm64.

        Raises:
            EmulatorError: the host has no apt, or its sources cannot be read.
        """
        if any(programs.find(name) is None for name in ("apt-get", "apt-cache", "apt-config", "dpkg-deb")):
            raise EmulatorError("Building the emulated machine needs a Debian host; this one has no apt.", HINT)
        for name in ("lists/partial", "cache/archives/partial", "empty"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        self._config.write_text(self._settings(), encoding="utf-8")
        self._apt("apt-get", "update", "--quiet")

    def version(self, package: str) -> str:
        """The version that would be installed, as `3.11.2-1+b1`.

        Raises:
            EmulatorError: the host's sources do not have the package for arm64.
        """
        policy = self._apt("apt-cache", "policy", package)
        found = re.search(r"Candidate: (\S+)", policy)
        if found is None or found[1] == "(none)":
            raise EmulatorError(f"This host's package sources have no {package} for arm64.", HINT)
        return found[1]

    def dependency(self, package: str, pattern: str) -> str:
        """The package that `package` depends on and whose name matches `pattern`."""
        self.version(package)
        text = self._apt("apt-cache", "depends", "--important", package)
        found = re.search(rf"Depends: ({pattern})\s*$", text, re.MULTILINE)
        if found is None:
            raise EmulatorError(f"{package} of this host's package sources depends on no {pattern}.", HINT)
        return found[1]

    def download(self, packages: Sequence[str], *, closure: bool) -> list[Path]:
        """The packages' files, verified by apt; with `closure` those of all that they depend on, too."""
        place = self.folder / "cache" / "archives"
        if closure:
            self._apt("apt-get", "install", "--yes", "--download-only", "--no-install-recommends", *packages)
        else:
            self._apt("apt-get", "download", *packages, cwd=place)
        return sorted(place.glob("*.deb"))

    def _apt(self, *argv: str, cwd: Path | None = None) -> str:
        return programs.run(argv, cwd=cwd, env={"APT_CONFIG": str(self._config)})

    @property
    def _config(self) -> Path:
        return self.folder / "apt.conf"

    def _settings(self) -> str:
        """How the host reaches its mirrors (proxies, certificates), and nothing else of its configuration.

        Its hooks must not run: they are written for root and for the host's packages.
        """
        acquire = programs.run(("apt-config", "dump", "Acquire"))
        folder = self.folder
        return acquire + (
            f'Dir::Etc::Parts "{folder}/empty"; Dir::Etc::Main "/dev/null";\n'
            'APT::Architecture "arm64"; APT::Architectures { "arm64"; };\n'
            f'Dir::State "{folder}"; Dir::State::Lists "{folder}/lists"; Dir::State::status "{folder}/status";\n'
            f'Dir::Cache "{folder}/cache"; Dir::Cache::archives "archives";\n'
            'Acquire::Languages "none"; APT::Sandbox::User ""; Debug::NoLocking "true";\n'
        )


def unpack(files: Sequence[Path], folder: Path) -> None:
    """Unpack packages without configuring them: nothing that the machine runs needs it."""
    for file in files:
        programs.run(("dpkg-deb", "--extract", str(file), str(folder)))


def versions(files: Sequence[Path]) -> dict[str, str]:
    """Version by package name, from the files' names."""
    parts = [file.name.split("_") for file in files]
    return {part[0]: part[1].replace("%3a", ":") for part in parts}
