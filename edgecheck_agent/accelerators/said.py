"""What a library prints while it is called: some name the operators that they leave, and why, nowhere else."""

import contextlib
import os
import sys
import tempfile
from typing import Iterator

_STDERR = 2

# Bytes of it that are kept.
_MOST = 1 << 20


class Log:
    """What was printed; complete once the context is over."""

    text = ""


@contextlib.contextmanager
def heard(log: Log) -> Iterator[None]:
    """A context in which stderr goes into `log`; it is printed afterwards, where the supervisor reads it."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        before = os.dup(_STDERR)
        try:
            os.dup2(file.fileno(), _STDERR)
            yield
        finally:
            os.dup2(before, _STDERR)
            os.close(before)
            file.seek(0)
            content = file.read(_MOST)
            os.write(_STDERR, content)
            log.text = content.decode("utf-8", "replace")
