"""`edgecheck comment`: one comment on a pull request, by APIs that answer as the forges' do."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from edgecheck.cli.comment import command
from edgecheck.errors import EdgecheckError, UndecidedError, UsageError
from edgecheck.reports import render
from edgecheck.reports.markdown import MARKER
from tests.reports.sample import SEEN, report, result

HEAD = "a" * 40


@dataclass(slots=True)
class Server:
    """Comments on one pull request, for GitHub's paths and GitLab's."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    may_write: bool = True
    #: Whose token it is; empty: a job's own on GitHub, which cannot ask.
    login: str = ""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(path)
        self.calls.append(f"{method} {parts.path}")
        page = int(parse_qs(parts.query).get("page", ["1"])[0])
        if parts.path == "/user":
            return (200, {"login": self.login, "id": 7}) if self.login else (403, {})
        if parts.path == "/repos/o/r/pulls":
            return 200, self.pulls[(page - 1) * 100 : page * 100]
        if method == "GET":
            return 200, self.comments[(page - 1) * 100 : page * 100]
        if not self.may_write:
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST":
            self.comments.append(self.of("Bot", body["body"]))
            return 201, self.comments[-1]
        number = int(parts.path.rpartition("/")[2])
        self.comments[number]["body"] = body["body"]
        return 200, self.comments[number]

    def of(self, kind: str, body: str, login: str = "x") -> dict[str, Any]:
        user = {"type": kind, "login": login}
        return {"id": len(self.comments), "body": body, "user": user, "author": {"id": 7 if kind == "Bot" else 1}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            allowed = "secret" in (self.headers.get("Authorization", "") + self.headers.get("PRIVATE-TOKEN", ""))
            code, found = state.answer(self.command, self.path, body) if allowed else (401, {})
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815 - the base class looks for these names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    for name in ("GITLAB_CI", "GITHUB_ACTIONS", "CI_MERGE_REQUEST_IID", "EDGECHECK_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def github(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 5}}', encoding="utf-8")
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": server.url,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_TOKEN": "secret",
        "GITHUB_EVENT_PATH": str(event),
    }.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def gitlab(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    server.login = "project-bot"
    for name, value in {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": server.url,
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "5",
        "EDGECHECK_TOKEN": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def results(tmp_path: Path) -> Path:
    file = tmp_path / "results.json"
    file.write_text(render("json", report(result(SEEN))), encoding="utf-8")
    return file


def comment(*arguments: str | Path) -> str:
    """Call it; what it says."""
    done = CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)
    if isinstance(done.exception, EdgecheckError):
        raise done.exception
    assert done.exception is None, done.output
    return done.output


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_first_run_posts_and_later_ones_update(forge: str, request: pytest.FixtureRequest, results: Path) -> None:
    server: Server = request.getfixturevalue(forge)
    server.comments += [server.of("User", f"{MARKER}\nI quote the bot.", "anna")]
    comment(results)
    assert [one["body"] for one in server.comments[1:]] == [render("markdown", report(result(SEEN)))]
    comment(results)
    assert not [call for call in server.calls if call.startswith(("PATCH", "PUT"))]  # nothing has changed
    changed = report(result(SEEN), result(SEEN))
    results.write_text(render("json", changed), encoding="utf-8")
    comment(results)
    assert [one["body"] for one in server.comments] == [
        f"{MARKER}\nI quote the bot.",
        render("markdown", changed),
    ]


def test_it_is_found_on_a_later_page_and_jobs_with_names_have_their_own(github: Server, results: Path) -> None:
    github.comments += [github.of("User", f"remark {number}") for number in range(150)]
    comment(results)
    comment("--name", "arm 64", results)
    comment("--name", "arm 64", results)
    bodies = [one["body"].splitlines()[0] for one in github.comments[150:]]
    assert bodies == [MARKER, "<!-- edgecheck: arm 64 -->"]
    with pytest.raises(UsageError, match="characters that do not go into a comment"):
        comment("--name", "x --> y", results)


def test_with_a_persons_token_only_that_persons_comment_is_ours(github: Server, results: Path) -> None:
    github.login = "release-team"
    github.comments += [github.of("Bot", f"{MARKER}\nanother bot's", "other")]
    comment(results)
    assert len(github.comments) == 2
    github.comments[1]["user"]["login"] = "release-team"
    comment(results)
    assert len(github.comments) == 2


def test_a_pull_request_is_found_by_its_commit(github: Server, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a workflow that runs after a fork's: the event has no pull request that could be trusted."""
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    github.pulls += [{"number": number, "head": {"sha": f"{number:040x}"}} for number in range(1, 130)]
    assert "there is no pull request" in comment("--commit", HEAD, results)
    github.pulls += [{"number": 777, "head": {"sha": HEAD}}]
    comment("--commit", HEAD, results)
    assert "POST /repos/o/r/issues/777/comments" in github.calls


def test_a_token_that_may_not_write_is_no_verdict(github: Server, results: Path) -> None:
    github.may_write = False
    with pytest.raises(UndecidedError, match="403") as caught:
        comment(results)
    assert caught.value.exit_code == 3
    assert "pull-requests: write" in caught.value.hint


def test_an_api_that_cannot_be_reached(github: Server, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert github.url
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with pytest.raises(UndecidedError, match="could not be asked"):
        comment(results)


def test_outside_of_a_pull_request(
    github: Server, results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert github.url
    (tmp_path / "event.json").write_text('{"after": "abc"}', encoding="utf-8")
    assert "there is no pull request" in comment(results)
    monkeypatch.delenv("GITHUB_ACTIONS")
    with pytest.raises(UsageError, match="neither a job on GitHub nor one on GitLab"):
        comment(results)
    assert github.calls == []


def test_gitlab_without_a_token_says_which(gitlab: Server, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gitlab.url
    monkeypatch.delenv("EDGECHECK_TOKEN")
    with pytest.raises(UsageError, match="a job's own token may not comment"):
        comment(results)


def test_only_a_report_is_posted(github: Server, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Buy now\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is not a report"):
        comment(page)
    page.write_text(f"{MARKER}\n### ❌ Nothing was checked: 1 mistake\n", encoding="utf-8")
    comment(page)
    assert re.match(f"{MARKER}\n### ❌", github.comments[0]["body"])
