"""Whether a model that did not open is damaged: asked when something has failed, so that good models do not pay."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def ensure_whole(model: Path) -> None:
    """See that the file is what its format says, and that an archive's members have their checksums.

    Args:
        model: A file or a folder whose format is known.

    Raises:
        ModelError: it is damaged; a download that broke off, most often.
    """
    try:
        read(model)
    except ModelError as error:
        cause = error.__cause__
        # a kind that edgecheck does not read may be whole
        if isinstance(cause, Damage) and not isinstance(cause, Unread):
            raise
    if model.is_file() and zipfile.is_zipfile(model):
        _ensure_members(model)


def _ensure_members(model: Path) -> None:
    try:
        with zipfile.ZipFile(model) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _damaged(model, str(error)) from error
    except (NotImplementedError, RuntimeError):  # a compression or an encryption that Python does not know
        return
    if broken is not None:
        raise _damaged(model, f"its member {broken} has another checksum than it was written with")


def _damaged(model: Path, how: str) -> ModelError:
    return ModelError(
        f"{model} is damaged: {how.rstrip('.')}.",
        "Download or export it again, and compare its size and checksum with the original's.",
    )
