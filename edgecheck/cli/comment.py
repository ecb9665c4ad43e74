"""`edgecheck comment`: keeps one comment with the report on a pull request, by the API of GitHub or GitLab."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import click

from edgecheck.checks import baseline
from edgecheck.errors import UndecidedError, UsageError
from edgecheck.reports import Style, render
from edgecheck.reports.markdown import MARKER

#: Seconds to wait for an answer.
_TIMEOUT = 60

#: Entries per page, and the most pages to read.
_PER_PAGE = 100
_MOST_PAGES = 30

_UNAUTHORISED = (401, 403, 404)


class Forge(Protocol):
    """Where the comment goes."""

    def own(self, marker: str) -> Place | None:
        """The comment that the token's owner made and that begins with `marker`; None if there is none."""

    def create(self, body: str) -> None:
        """Make a comment."""

    def update(self, place: Place, body: str) -> None:
        """Replace the text of a comment."""


@dataclass(frozen=True, slots=True)
class Place:
    """A comment that is there."""

    number: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Calls with a token."""

    url: str
    headers: Mapping[str, str]
    #: What to do where the token may not.
    advice: str

    def call(self, path: str, method: str = "GET", body: Mapping[str, str] | None = None) -> Any:
        """The answer.

        Raises:
            UndecidedError: the API cannot be reached, or refuses.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json", "User-Agent": "edgecheck"}
        request = Request(f"{self.url}/{path}", data, headers, method=method)  # noqa: S310 - the runner's own address
        try:
            with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except HTTPError as error:
            error.close()
            advice = self.advice if error.code in _UNAUTHORISED else "Run the job again."
            raise UndecidedError(f"{method} {self.url}/{path}: {error.code} {error.reason}.", advice) from error
        except (URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise UndecidedError(
                f"{self.url} could not be asked: {reason}.", "Run the job again; if it fails again, check its network."
            ) from error

    def pages(self, path: str) -> Iterator[Any]:
        """The entries of a list, page by page."""
        separator = "&" if "?" in path else "?"
        for page in range(1, _MOST_PAGES + 1):
            entries = self.call(f"{path}{separator}{urlencode({'per_page': _PER_PAGE, 'page': page})}")
            yield from entries
            if len(entries) < _PER_PAGE:
                return

    def user(self) -> dict[str, Any] | None:
        """Whose token it is; None for a job's own token on GitHub, which cannot ask."""
        try:
            found = self.call("user")
        except UndecidedError:
            return None
        return found if isinstance(found, dict) else None


class GitHub:
    """A pull request on GitHub.

    A job's token may edit everybody's comments, so the marker alone does not make a comment ours: with the job's own
    token, it must be a bot's.
    """

    def __init__(self, api: Api, repository: str, number: int) -> None:
        self._api, self._repository, self._number = api, f"repos/{quote(repository)}", number

    def own(self, marker: str) -> Place | None:
        """See `Forge`."""
        user = self._api.user()
        for one in self._api.pages(f"{self._repository}/issues/{self._number}/comments"):
            author = one.get("user") or {}
            is_ours = author.get("login") == user.get("login") if user else author.get("type") == "Bot"
            if is_ours and _begins(one.get("body"), marker):
                return Place(one["id"], one["body"])
        return None

    def create(self, body: str) -> None:
        """See `Forge`."""
        self._api.call(f"{self._repository}/issues/{self._number}/comments", "POST", {"body": body})

    def update(self, place: Place, body: str) -> None:
        """See `Forge`."""
        self._api.call(f"{self._repository}/issues/comments/{place.number}", "PATCH", {"body": body})


class GitLab:
    """A merge request on GitLab."""

    def __init__(self, api: Api, project: str, number: int) -> None:
        self._api, self._notes = api, f"projects/{quote(project, safe='')}/merge_requests/{number}/notes"

    def own(self, marker: str) -> Place | None:
        """See `Forge`."""
        user = self._api.call("user")
        for one in self._api.pages(f"{self._notes}?sort=asc"):
            if (one.get("author") or {}).get("id") == user.get("id") and _begins(one.get("body"), marker):
                return Place(one["id"], one["body"])
        return None

    def create(self, body: str) -> None:
        """See `Forge`."""
        self._api.call(self._notes, "POST", {"body": body})

    def update(self, place: Place, body: str) -> None:
        """See `Forge`."""
        self._api.call(f"{self._notes}/{place.number}", "PUT", {"body": body})


def _begins(body: object, marker: str) -> bool:
    return isinstance(body, str) and body.lstrip().startswith(marker)


def _forge_of_job(commit: str = "") -> Forge | None:
    """The pull request that this job is for; None where it is for none.

    Args:
        commit: Look for the open pull request with this commit at its head, instead of asking the job's event.

    Raises:
        UsageError: it is neither a job on GitHub nor on GitLab, or it has no token.
        UndecidedError: the API cannot be asked.
    """
    if os.environ.get("GITLAB_CI") == "true":
        return _gitlab()
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return _github(commit)
    raise UsageError("This is neither a job on GitHub nor one on GitLab.", "Call it in a pipeline of a pull request.")


_FORKS = "For pull requests of forks, whose jobs may not comment: docs/how-to/github.md, Forks."


def _github(commit: str) -> Forge | None:
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    token = os.environ.get("GITHUB_TOKEN", "")
    number = None if commit else _number_in_event()
    if not commit and number is None:
        return None
    if not token:
        raise UsageError("GITHUB_TOKEN is not set.", "Add `env: {GITHUB_TOKEN: ${{ github.token }}}` to the step.")
    api = Api(
        url=os.environ.get("GITHUB_API_URL") or "https://api.github.com",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
        advice=f"Give the job `permissions: {{contents: read, pull-requests: write}}`. {_FORKS}",
    )
    if commit:
        pulls = api.pages(f"repos/{quote(repository)}/pulls?state=open")
        number = next((one["number"] for one in pulls if (one.get("head") or {}).get("sha") == commit), None)
    return None if number is None else GitHub(api, repository, number)


def _number_in_event() -> int | None:
    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return None
    number = (event.get("pull_request") or {}).get("number") if isinstance(event, dict) else None
    return number if isinstance(number, int) else None


def _gitlab() -> Forge | None:
    number = os.environ.get("CI_MERGE_REQUEST_IID", "")
    if not number.isdecimal():
        return None
    token = os.environ.get("EDGECHECK_TOKEN", "")
    if not token:
        raise UsageError(
            "EDGECHECK_TOKEN is not set: a job's own token may not comment on GitLab.",
            "Make a project access token with the scope api and the role Reporter, and set it as a masked variable.",
        )
    api = Api(
        url=os.environ["CI_API_V4_URL"],
        headers={"PRIVATE-TOKEN": token},
        advice="EDGECHECK_TOKEN needs the scope api and the role Reporter in this project.",
    )
    return GitLab(api, os.environ["CI_PROJECT_ID"], int(number))


#: What a name may have: it is in an HTML comment.
_NAME = re.compile(r"[\w .,()/+-]*")


@click.command("comment", epilog="\b\nExample:\n  edgecheck comment head.json")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@click.option("--name", default="", help="Distinguishes the comments of several jobs on one pull request.")
@click.option("--commit", default="", metavar="SHA", help="Comment on the open pull request with this head (GitHub).")
def command(file: Path, name: str, commit: str) -> int:
    """Post the report as a comment on a pull request, or update it.

    FILE holds results (JSON) or a Markdown report. The pull request is that
    of the job on GitHub (GITHUB_TOKEN) or GitLab (EDGECHECK_TOKEN) that calls
    this. Exit codes: 0 it is there, 3 it could not be posted.
    """
    marker = _marker(name)
    body = _body(file, marker)
    forge = _forge_of_job(commit)
    if forge is None:
        click.echo("edgecheck: there is no pull request: nothing to comment on.", err=True)
        return 0
    there = forge.own(marker)
    if there is None:
        forge.create(body)
    elif there.body.strip() != body.strip():
        forge.update(there, body)
    return 0


def _marker(name: str) -> str:
    if not _NAME.fullmatch(name) or "--" in name:
        raise UsageError(f"--name {name!r} has characters that do not go into a comment.", "Use letters and digits.")
    return f"<!-- edgecheck: {name} -->" if name else MARKER


#: How to get a report that can be posted.
_WRITE_ONE = "Write one: edgecheck check BUDGET --format markdown=report.md"


def _body(file: Path, marker: str) -> str:
    """The comment, rendered here: what another's job left as results cannot be more than text."""
    if file.suffix == ".md":
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} could not be read: {error}.", _WRITE_ONE) from error
        if not text.startswith(MARKER):
            raise UsageError(f"{file} is not a report: it does not begin with {MARKER}.", _WRITE_ONE)
    else:
        text = render("markdown", baseline.load(file), Style())
    return marker + text[len(MARKER) :]
