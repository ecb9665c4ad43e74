"""The README of the package: links that are relative in the repository become absolute, so that they work elsewhere.

hatchling loads this file when it builds; see `[tool.hatch.metadata.hooks.custom]` in `pyproject.toml`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: The target of a link that is neither an address nor a place on the same page.
_RELATIVE = re.compile(r"\]\((?!#|[a-z]+:)([^)\s]+)\)")

_PICTURE = re.compile(r'(src|srcset)="(?![a-z]+:)([^"]+)"')


class CustomMetadataHook(MetadataHookInterface):  # type: ignore[misc] # hatchling is there only while a package is built
    """Adds the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the text; the repository's address is the one in `[project.urls]`."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        pages = f"{metadata['urls']['Repository']}/blob/main"
        text = _RELATIVE.sub(rf"]({pages}/\1)", text)
        raw = f"{metadata['urls']['Repository']}/raw/main"
        metadata["readme"] = {"content-type": "text/markdown", "text": _PICTURE.sub(rf'\1="{raw}/\2"', text)}
