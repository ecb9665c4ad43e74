"""What a check needs on the device: each thing by its sha256, and by its name in the job's folder."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from edgecheck.errors import ModelError
from edgecheck.targets.interface import PACKAGE, Workload, agent_folder

if TYPE_CHECKING:
    from edgecheck.bundles import Bundle

#: Byte code and unused ends of disk blocks add to an archive's files (numpy and onnxruntime: 9 %).
_BYTE_CODE = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that is sent."""

    kind: Literal["file", "tree"]
    """A file as it is, or a gzipped tar to unpack."""
    digest: str
    """sha256 of the file, or of the tar inside."""
    size: int
    """Bytes to send."""
    room: int
    """Bytes that it takes on the device's disk."""
    what: str
    """What it is, for a person: `the model`."""
    content: Path | bytes

    def open(self) -> IO[bytes]:
        """Open its content for reading."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")

    @property
    def offer(self) -> dict[str, object]:
        """What the courier needs to know about it."""
        room = self.room + (self.size if self.kind == "tree" else 0)  # the archive lies next to its files for a while
        return {"kind": self.kind, "digest": self.digest, "size": self.size, "room": room, "what": self.what}


@dataclass(frozen=True, slots=True)
class Upload:
    """Everything for one start of the agent."""

    items: Mapping[str, Item]
    """By their names in the job's folder."""
    job: Mapping[str, object]
    """With its paths filled in, relative to the job's folder."""


def upload_for(workload: Workload, bundle: Bundle | None) -> Upload:
    """What `workload` needs, with the runtime in `bundle`; None: with the device's own runtime.

    Raises:
        ModelError: a file of the model cannot be read.
    """
    main, *others = workload.model
    items = {"agent": agent_item()}
    for path in others:
        items[f"model/{_relative(path, main)}"] = _file(path, "the model's weights")
    model = f"model/model.{workload.job['format']}"  # not the user's name for it: it may be anything
    while model in items:
        model += "_"
    items[model] = _file(main, "the model")
    if workload.samples is not None:
        items["samples.npz"] = _file(workload.samples, "the samples")
    if bundle is not None:
        room = round(bundle.unpacked_size * _BYTE_CODE)
        items["runtime"] = Item(
            kind="tree", digest=bundle.digest, size=bundle.size, room=room, what="the runtime", content=bundle.path
        )
    job = {
        **workload.job,
        "model": model,
        "samples": "samples.npz" if workload.samples is not None else None,
        "python_path": ["runtime"] if bundle is not None else [],
    }
    return Upload(items, job)


def _relative(path: Path, main: Path) -> str:
    """The name by which the model refers to a file with a part of it."""
    try:
        return path.relative_to(main.parent).as_posix()
    except ValueError:
        raise ModelError(
            f"{path} belongs to {main.name} and is outside of its folder.",
            "Save the model again with its data next to it; only its own folder is sent to a device.",
        ) from None


def _file(path: Path, what: str) -> Item:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", f"Check who may read it: ls -l {path}") from error
    return Item(kind="file", digest=digest.hexdigest(), size=size, room=size, what=what, content=path)


@cache
def agent_item() -> Item:
    """The agent's package as an archive, the same bytes every time."""
    tar = io.BytesIO()
    unpacked = 0
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(agent_folder().rglob("*.py")):
            content = path.read_bytes()
            name = path.relative_to(agent_folder()).as_posix()
            member = tarfile.TarInfo(f"{PACKAGE}/{name}")  # owner 0, time 0
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
            unpacked += len(content)
    packed = gzip.compress(tar.getvalue(), 9, mtime=0)
    digest = hashlib.sha256(tar.getvalue()).hexdigest()
    return Item(kind="tree", digest=digest, size=len(packed), room=4 * unpacked, what="the agent", content=packed)
