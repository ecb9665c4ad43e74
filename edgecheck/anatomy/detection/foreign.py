"""Files that are often taken for a model and are none, each with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_SIGNATURES = (
    (b"GGUF", "a GGUF file for llama.cpp", "edgecheck reads models for LiteRT and ONNX Runtime"),
    (b"\x93NUMPY", "a NumPy array", "Name the model; an array like this may be its `samples`"),
    (b"\x89PNG", "a PNG picture", "Name the model's file"),
    (b"\xff\xd8\xff", "a JPEG picture", "Name the model's file"),
    (b"%PDF", "a PDF document", "Name the model's file"),
    (b"\x7fELF", "a program for Linux", "Name the model's file"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it and name the file inside"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it and name the file inside"),
)
_FLATBUFFERS = {
    b"ORTM": ("ONNX Runtime's own .ort format", "Name the .onnx file that it was made from"),
    b"ET12": ("an ExecuTorch program", "Name the .pt2 file that it was made from"),
}
"""By the identifier in bytes 4 to 8."""
_TAR_AT = slice(257, 262)
_SAVED_MODEL_PB = (b"\x08\x01\x12",)
"""A SavedModel message: schema version 1, then its MetaGraphDef."""


def foreign(path: Path, head: bytes) -> ModelError | None:
    """The error for a file whose first bytes are known to be something else than a model, or `None`."""
    lowered = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs"):
        return ModelError(f"{path} is a git-lfs pointer, not the model itself.", "Run `git lfs pull`.")
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")):
        return ModelError(
            f"{path} is a web page that was saved under a model's name.",
            "The download led to an error or a login page; download the model itself.",
        )
    for signature, what, advice in _SIGNATURES:
        if head.startswith(signature):
            return ModelError(f"{path} is not a model: it is {what}.", f"{advice}.")
    if head[4:8] in _FLATBUFFERS:
        what, advice = _FLATBUFFERS[head[4:8]]
        return ModelError(f"{path} is {what}, which edgecheck does not read.", f"{advice}.")
    if head[_TAR_AT] == b"ustar":
        return ModelError(f"{path} is a tar archive.", "Unpack it and name the model inside.")
    if path.name == "saved_model.pb" and head.startswith(_SAVED_MODEL_PB):
        return ModelError(f"{path} is one file of a SavedModel.", f"Name its folder: {path.parent}.")
    return _text(path, head)


def _text(path: Path, head: bytes) -> ModelError | None:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) - error.start >= 4:  # noqa: PLR2004 - the last character may be cut: it has up to four bytes
            return None
        text = head[: error.start].decode("utf-8")
    if not text or any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):  # noqa: PLR2004 - ASCII
        return None
    line = text.strip().partition("\n")[0][:60].rstrip()
    return ModelError(
        f"{path} is a text file, not a model; it begins with {line!r}." if line else f"{path} holds only blanks.",
        "Name the file that the training or the export wrote.",
    )
