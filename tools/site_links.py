"""A hook of MkDocs: links from a page to a file outside of `docs` lead to the repository."""

from __future__ import annotations

import posixpath
import re
from typing import Any

#: The target of a link that is neither an address nor a place on the same page, and the place in it.
_RELATIVE = re.compile(r"\]\((?!#|[a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page's text, with links out of the site made absolute."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")
    return _RELATIVE.sub(lambda found: _link(found, folder, config["repo_url"].rstrip("/")), markdown)


def _link(found: re.Match[str], folder: str, repository: str) -> str:
    place = posixpath.normpath(posixpath.join(folder, found[1]))
    return found[0] if place.startswith("docs/") else f"]({repository}/blob/main/{place}{found[2] or ''})"
