"""Why a runtime did not take a model: checks of a file's first bytes, and a context around calls of a runtime."""

import contextlib
import os
from typing import Iterator

from edgecheck_agent.sayings import understood

_HEADS = (
    (
        b"version https://git-lfs.github.com/spec",
        "it is a git-lfs pointer; `git lfs pull` gets the model itself",
    ),
    (b"<!doctype html", "it is a web page; the download did not get the model"),
    (b"<html", "it is a web page; the download did not get the model"),
)


# Every reason of an `end` event.
REASONS = (
    "not-a-model",
    "unsupported-operator",
    "flex-operator",
    "model-too-new",
    "missing-external-data",
    "open-dimension",
    "wrong-sample",
    "made-up-input",
    "input-type",
    "missing-runtime",
    "no-accelerator",
    "unused-accelerator",
    "out-of-memory",
    "no-profile",
    "agent-fault",
    "other",
)


class Refused(Exception):  # noqa: N818 - an outcome of a run, not our error
    """The runtime, or the worker on its behalf, does not take the model; `reason` is a code of the protocol."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        if reason not in REASONS:
            raise ValueError("unknown reason %r" % reason)
        self.reason = reason
        self.message = message


def check_file(path: str, form: str) -> None:
    """Check the first bytes before a runtime does, since runtimes say little about files that are not models.

    Raises:
        Refused: the file is missing, empty, or plainly something else.
    """
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            head = file.read(256)
    except OSError as error:
        raise Refused("not-a-model", "%s cannot be read: %s" % (name, error.strerror)) from error
    text = head.lstrip(b"\xef\xbb\xbf\t\r\n ").lower()  # a page may start with a byte order mark and blanks
    doubts = [doubt for start, doubt in _HEADS if text.startswith(start)]
    if not head:
        doubts = ["it is empty"]
    elif head[4:8] == b"TFL3" and form != "tflite":
        doubts = ["it is a .tflite model"]
    elif head[4:8] != b"TFL3" and form == "tflite" and not doubts:
        doubts = ["the bytes do not start as those of a .tflite file do"]
    if doubts:
        raise Refused("not-a-model", "%s is not a .%s model: %s" % (name, form, doubts[0]))


@contextlib.contextmanager
def translated(advice: str = "", *, made_up: bool = False) -> Iterator[None]:
    """A context for calls into a runtime: what it raises becomes a `Refused`.

    `advice` names the dimensions that were guessed, if any, and `made_up` says that the inputs are random numbers: a
    model that does not take a guess is not broken.
    """
    try:
        yield
    except Refused:
        raise
    except MemoryError as error:
        raise Refused("out-of-memory", "there was not enough memory for the model") from error
    except Exception as error:
        reason, message = understood(str(error))
        if advice and reason == "other":
            reason, message = "open-dimension", advice
        elif made_up and reason == "other":
            reason = "made-up-input"
            message = "the model does not take random inputs (%s): give samples" % message
        raise Refused(reason, message) from error
