"""plotly.js as one HTML file can carry it: compressed, with the hash by which a browser is told to trust it."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass

from edgecheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Script:
    """A script to be unpacked by the page that holds it."""

    packed: str
    """gzip, in base64: 2.0 MB for 4.8 MB of plotly.js 4."""
    trust: str
    """As `script-src` of a content security policy takes it."""
    licence: str
    """Its name, version and licence, which have to go along."""


def require() -> None:
    """Say early that the treemap cannot be drawn.

    Raises:
        UsageError: plotly is not installed.
    """
    try:
        import plotly.offline  # noqa: F401 - only whether it is there
    except ImportError:
        raise UsageError(
            "The HTML report draws its treemap with plotly, which is not installed.",
            "pip install 'edgecheck[html]'",
        ) from None


def script() -> Script:
    """The plotly.js of the installed plotly.

    Raises:
        UsageError: plotly is not installed.
    """
    require()
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    text: str = get_plotlyjs()
    return Script(
        packed=base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode(),
        trust=trusted(text),
        licence=f"plotly.js {get_plotlyjs_version()}, copyright Plotly, Inc., MIT licence",
    )


def trusted(text: str) -> str:
    """The content security policy's name for a script of this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
