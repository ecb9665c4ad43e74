"""The template for GitLab: valid, and its script run by real shells in real repositories."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.drop_ins.gitlab_runner import BIN, Ended, included, job_of, lines, run_job
from tests.drop_ins.projects import Project, make_repository

REGRESSION = "regression: {size: 1%}\n"
TEMPLATE = "templates/edgecheck.gitlab-ci.yml"


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """A project in a repository of its own."""
    return make_repository(tmp_path / "repository")


def use(root: Path, project: Project, shell: str = "bash", **variables: str) -> Ended:
    """The job, with the edgecheck that is here."""
    job = job_of(included(root / TEMPLATE), "edgecheck")
    cache = str(project.folder.parent / "cache")
    here = {"EDGECHECK_PIP": "", "EDGECHECK_PACKAGES": "", "XDG_CACHE_HOME": cache}
    return run_job(job, project.folder, here | variables, (shell,))


def results(project: Project) -> dict[str, object]:
    """What the job keeps as an artifact."""
    found = json.loads((project.folder / "edgecheck-reports" / "results.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def statuses(project: Project) -> list[str]:
    """Of the first check's limits."""
    checks = results(project)["checks"]
    assert isinstance(checks, list)
    return [verdict["status"] for verdict in checks[0]["verdicts"]]


def test_it_is_valid(root: Path) -> None:
    options = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    done = subprocess.run(
        [BIN / "check-jsonschema", *options, root / TEMPLATE], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_its_script_has_no_lint(root: Path, tmp_path: Path) -> None:
    job = job_of(included(root / TEMPLATE), "edgecheck")
    place = tmp_path / "script.sh"
    place.write_text(f"#!/bin/sh\nset -e\n{lines(job['before_script'])}\n{lines(job['script'])}", encoding="utf-8")
    done = subprocess.run([BIN / "shellcheck", place], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_variable_is_documented(root: Path) -> None:
    text = (root / TEMPLATE).read_text(encoding="utf-8")
    page = (root / "docs/how-to/gitlab.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"EDGECHECK_\w+", text))
    assert {name for name in variables if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_budget_that_holds(repository: Project, root: Path, shell: str) -> None:
    ended = use(root, repository, shell)
    assert ended.code == 0, ended.log
    assert "Every limit holds: 1 limit in 1 check." in ended.log
    assert sorted(path.name for path in (repository.folder / "edgecheck-reports").iterdir()) == [
        "report.html",
        "report.xml",
        "results.json",
        "summary.md",
    ]


def test_a_budget_that_does_not(repository: Project, root: Path) -> None:
    repository.budget("1 MB")
    ended = use(root, repository)
    assert ended.code == 1
    assert "✘ fail  size  1.56 MB  ≤ 1.00 MB" in ended.log
    assert "<failure" in (repository.folder / "edgecheck-reports" / "report.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_every_variable_reaches_the_command(repository: Project, root: Path, shell: str) -> None:
    (repository.folder / "net.onnx").rename(repository.folder / "it's a net.onnx")
    ended = use(
        root,
        repository,
        shell,
        EDGECHECK_PATHS="it's a net.onnx\n",
        EDGECHECK_TARGET="local",
        EDGECHECK_DEVICE="raspberry-pi-4-2gb\n\npixel-8",
        EDGECHECK_LIMIT="size=1.5 MB\nparams=1000000\nlatency_p50=off",
        EDGECHECK_ON_UNKNOWN="warn",
        EDGECHECK_FAIL_ON="warn",
        EDGECHECK_JOBS="2",
    )
    assert ended.code == 1, ended.log
    checks = results(repository)["checks"]
    assert isinstance(checks, list)
    assert [check["device"] for check in checks] == ["raspberry-pi-4-2gb", "pixel-8"]
    verdicts = {verdict["metric"]: verdict["status"] for verdict in checks[0]["verdicts"]}
    assert (verdicts["size"], verdicts["params"], verdicts["ram_peak"]) == ("fail", "pass", "warn")


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    "names", [["PATHS", "TARGET", "DEVICE", "LIMIT", "ON_UNKNOWN", "FAIL_ON", "JOBS"], ["PATHS"], ["BASELINE"]]
)
def test_a_variable_is_never_run(repository: Project, root: Path, names: list[str], shell: str) -> None:
    """All that become words of one command are in it before it starts; the base is another command's."""
    hostile = "x'\"; touch pwned; `touch pwned` $(touch pwned)"
    ended = use(root, repository, shell, **{f"EDGECHECK_{name}": hostile for name in names})
    assert ended.code == 2, ended.log
    assert list(repository.folder.rglob("pwned")) == []


@dataclass(slots=True)
class GitLab:
    """The one address of GitLab's API that the template asks."""

    answers: dict[str, bytes] = field(default_factory=dict)
    status: int = 404
    url: str = ""


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """A server on this machine that wants the job's token."""
    state = GitLab()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("JOB-TOKEN") == "secret"
            content = state.answers.get(self.path) if allowed else None
            self.send_response(200 if content is not None else state.status)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/api/v4"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def on_change(gitlab: GitLab) -> dict[str, str]:
    """A merge request's pipeline whose baseline is the default branch's."""
    return {
        "EDGECHECK_BASELINE": "main",
        "CI_API_V4_URL": gitlab.url,
        "CI_PROJECT_ID": "42",
        "CI_JOB_TOKEN": "secret",
        "CI_DEFAULT_BRANCH": "release/next",
    }


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_results_of_main_are_the_baseline(repository: Project, root: Path, gitlab: GitLab, shell: str) -> None:
    repository.budget("2 MB", REGRESSION)
    repository.model("mtcnn_rnet.onnx")
    first = use(root, repository, shell, **on_change(gitlab))
    assert first.code == 0, first.log
    assert "The default branch has no results yet: nothing is compared." in first.log

    main = use(root, repository, shell, **on_change(gitlab), CI_COMMIT_BRANCH="release/next")
    assert main.code == 0, main.log
    assert "These results are the next baseline." in main.log
    kept = (repository.folder / "edgecheck-reports" / "results.json").read_bytes()
    place = "/api/v4/projects/42/jobs/artifacts/release%2Fnext/raw/edgecheck-reports/results.json?job=edgecheck"
    gitlab.answers[place] = kept

    assert use(root, repository, shell, **on_change(gitlab)).code == 0
    assert statuses(repository) == ["pass", "pass"]
    repository.model()
    assert use(root, repository, shell, **on_change(gitlab)).code == 1
    assert statuses(repository) == ["pass", "fail"]


def test_a_server_that_refuses_is_not_a_pass(repository: Project, root: Path, gitlab: GitLab) -> None:
    gitlab.status = 403
    ended = use(root, repository, **on_change(gitlab))
    assert ended.code == 3
    assert "The default branch's results are not available" in ended.log
    assert "Every limit holds" not in ended.log


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_server_that_cannot_be_reached_is_undecided(
    repository: Project, root: Path, gitlab: GitLab, shell: str
) -> None:
    variables = on_change(gitlab) | {"CI_API_V4_URL": "http://127.0.0.1:9/api/v4"}
    ended = use(root, repository, shell, **variables)
    assert ended.code == 3
    assert "The default branch's results are not available" in ended.log
    assert "Traceback" not in ended.log


def test_an_image_without_edgecheck_says_what_to_set(repository: Project, root: Path) -> None:
    job = job_of(included(root / TEMPLATE), "edgecheck")
    script = lines(job["before_script"]).replace("command -v edgecheck", "command -v no-such-edgecheck")
    ended = run_job(job | {"before_script": script}, repository.folder, {"EDGECHECK_PIP": "", "EDGECHECK_PACKAGES": ""})
    assert ended.code == 2
    assert "The image has no edgecheck: set EDGECHECK_PIP" in ended.log


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_comment_that_cannot_be_posted_changes_no_verdict(repository: Project, root: Path, shell: str) -> None:
    repository.budget("1 MB")
    api = {"CI_API_V4_URL": "http://127.0.0.1:9/api/v4", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "5"}
    ended = use(root, repository, shell, **api, EDGECHECK_TOKEN="secret")
    assert ended.code == 1
    assert "The report was not posted as a comment." in ended.log


def test_a_mistake_is_in_the_reports_that_gitlab_shows(repository: Project, root: Path) -> None:
    repository.write("budgets/net.yaml", "modle: net.onnx\n")
    ended = use(root, repository)
    assert ended.code == 2
    kept = repository.folder / "edgecheck-reports"
    assert "did you mean model?" in (kept / "report.xml").read_text(encoding="utf-8")
    assert "Nothing was checked" in (kept / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_base_and_head_in_one_job(repository: Project, root: Path, shell: str) -> None:
    repository.budget("2 MB", REGRESSION)
    repository.model("mtcnn_rnet.onnx")
    base = repository.commit("base")
    repository.model()
    repository.commit("head")
    variables = {"EDGECHECK_BASELINE": "base", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    assert use(root, repository, shell, **variables).code == 1
    assert statuses(repository) == ["pass", "fail"]
    assert repository.git("worktree", "list").count("\n") == 0
    unready = use(root, repository, shell, **variables, EDGECHECK_PREPARE="false")
    assert unready.code == 0, unready.log
    assert "The base commit could not be checked (exit code 1): nothing is compared." in unready.log


def test_no_base_commit(repository: Project, root: Path) -> None:
    ended = use(root, repository, EDGECHECK_BASELINE="base", CI_COMMIT_BEFORE_SHA="0" * 40)
    assert ended.code == 0, ended.log
    assert "This pipeline has no base commit: nothing is compared." in ended.log
