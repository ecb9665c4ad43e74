"""The how-to pages and the library's: every block of code in them is run as it stands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from platformdirs import user_cache_path

from tests.drop_ins.expressions import filled
from tests.drop_ins.github_runner import BIN, Cache, Ended, Runner
from tests.drop_ins.gitlab_runner import included, job_of, run_job
from tests.drop_ins.pages import Block, blocks, run
from tests.drop_ins.projects import Project, make_repository

#: What is exact on the emulated device, and quick.
EMULATED = "raspberry-pi-4-2gb: {instructions: 200_000_000, latency_p50: off, footprint: off}"
REGRESSION = "regression: {size: 1%}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """A project in a repository; its model is beside it too, as in a store of models."""
    made = make_repository(tmp_path / "repository")
    shutil.copyfile(made.folder / "net.onnx", made.folder / "model.onnx")
    (tmp_path / "model-store").mkdir()
    shutil.copyfile(made.folder / "net.onnx", tmp_path / "model-store" / "net.onnx")
    made.commit("models")
    return made


def of(root: Path, page: str, language: str) -> list[Block]:
    """The page's blocks in one language."""
    return [block for block in blocks(root / "docs" / page) if block.language == language]


@pytest.mark.parametrize(
    ("page", "languages"),
    [
        ("how-to/ci.md", {"sh", "groovy"}),
        ("how-to/github.md", {"yaml"}),
        ("how-to/gitlab.md", {"yaml"}),
        ("how-to/pre-commit.md", {"yaml", "sh"}),
        ("how-to/pytest.md", {"python", "sh", "ini", "text"}),
        ("how-to/completion.md", {"sh"}),
        ("reference/library.md", {"python"}),
    ],
)
def test_there_is_a_test_for_every_block(root: Path, page: str, languages: set[str]) -> None:
    assert {block.language for block in blocks(root / "docs" / page)} == languages


@pytest.mark.emulator
def test_ci(repository: Project, root: Path) -> None:
    repository.budget("2 MB", devices=EMULATED)
    for block in blocks(root / "docs/how-to/ci.md"):
        commands = re.findall(r'^sh "(.*)"$', block.text, re.MULTILINE) if block.language == "groovy" else [block.text]
        assert commands
        for command in commands:
            run(repository, command)
    for name in ("report.xml", "summary.md", "head.json", "report.html", "budgets/model.yaml", "shard-2.json"):
        assert (repository.folder / name).stat().st_size > 100
    (report,) = re.findall(r'^junit "(.*)"$', of(root, "how-to/ci.md", "groovy")[0].text, re.MULTILINE)
    assert (repository.folder / report).exists()


def workflows(root: Path) -> dict[str, str]:
    """The workflows of the page, by file."""
    found = {block.file: block.text for block in of(root, "how-to/github.md", "yaml")}
    assert len(found) == 5
    return found


def test_workflows_are_valid_and_an_audit_finds_nothing(root: Path, tmp_path: Path) -> None:
    project = Project(tmp_path)
    places = [project.write(name, text) for name, text in workflows(root).items()]
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *places],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    audit = subprocess.run(
        [BIN / "zizmor", "--offline", "--no-progress", tmp_path], check=False, capture_output=True, text=True
    )
    assert audit.returncode == 0, audit.stdout


def _from_here(script: str, root: Path, temp: Path) -> str:
    """The script with the edgecheck that is here, which is installed into a folder of its own."""
    found, count = re.subn(r"git\+https://github\.com/OWNER/edgecheck@0{40}", root.as_uri(), script)
    own = f"pip install --quiet --no-deps --target {temp / 'installed'}"
    return found.replace("pip install", own) if count else script


def run_workflow(text: str, runner: Runner, root: Path) -> tuple[Ended | None, str]:
    """Run the steps of the one job, with the action and the edgecheck that are here; what they said."""
    (job,) = yaml.safe_load(text)["jobs"].values()
    ended: Ended | None = None
    log = ""
    for step in job["steps"]:
        if "/edgecheck@" in step.get("uses", ""):
            given = {name.replace("-", "_"): filled(value, {}) for name, value in step.get("with", {}).items()}
            ended = runner.run(root, version="installed", cache="false", **given)
            log += ended.log
        elif "run" in step:
            log += run(Project(runner.workspace), _from_here(step["run"], root, runner.temp), GITHUB_ACTIONS="true")
    return ended, log


@pytest.mark.emulator
def test_the_first_workflow_on_github(repository: Project, root: Path, tmp_path: Path) -> None:
    repository.budget("2 MB", devices=EMULATED)
    runner = Runner(repository.folder, tmp_path / "temp", Cache(tmp_path / "github"))
    ended, log = run_workflow(workflows(root)[".github/workflows/budget.yaml"], runner, root)
    assert ended is not None
    assert not ended.failed, log
    assert (repository.folder / "report.html").exists()
    assert (repository.folder / "report.xml").exists()


@pytest.mark.emulator
def test_growth_from_main_on_github(repository: Project, root: Path, tmp_path: Path) -> None:
    repository.budget("2 MB", "regression: {size: 1%, instructions: 0.5%}\n", devices=EMULATED)
    base = repository.commit("a budget on growth")
    text = workflows(root)[".github/workflows/growth.yaml"]
    event = {"repository": {"default_branch": "main"}}
    runner = Runner(repository.folder, tmp_path / "temp", Cache(tmp_path / "github"))
    runner.github = {"ref_name": "main", "event": event, "sha": base}
    main, log = run_workflow(text, runner, root)
    assert main is not None
    assert not main.failed, log
    shutil.rmtree(tmp_path / "temp")
    runner.github = {"ref_name": "7/merge", "event": event | {"pull_request": {"base": {"sha": base}}}}
    change, log = run_workflow(text, runner, root)
    assert change is not None
    assert not change.failed, log
    assert "Every limit holds: 5 limits in 1 check." in log


def test_base_and_head_on_github(repository: Project, root: Path, tmp_path: Path) -> None:
    repository.write(
        "budgets/net.yaml",
        "model: ../net.onnx\nmeasure: {min_count: 400, min_time: 500 ms}\ndevices: {this-machine: }\n"
        "regression: {size: 1%, latency_p50: {growth: 10%, atleast: 1 s}}\n",
    )
    (repository.folder / "net.onnx").unlink()
    base = repository.commit("a budget on growth")
    runner = Runner(repository.folder, tmp_path / "temp", Cache(tmp_path / "github"))
    runner.github = {"event": {"pull_request": {"base": {"sha": base}}}}
    ended, log = run_workflow(workflows(root)[".github/workflows/latency.yaml"], runner, root)
    assert ended is not None
    assert not ended.failed, log
    assert re.search(r"✔ pass  latency_p50\b.*", log), log
    assert "Every limit holds" in log


def test_without_the_action(repository: Project, root: Path, tmp_path: Path) -> None:
    runner = Runner(repository.folder, tmp_path / "temp", Cache(tmp_path / "github"))
    _, log = run_workflow(workflows(root)[".github/workflows/plain.yaml"], runner, root)
    assert "::notice" in log
    assert (repository.folder / "report.html").exists()


def test_a_forks_comment(repository: Project, root: Path) -> None:
    """Nobody listens at this address: what is posted is in tests/cli/test_comment.py."""
    (job,) = yaml.safe_load(workflows(root)[".github/workflows/comment.yaml"])["jobs"].values()
    *_, last = job["steps"]
    assert last["env"]["COMMIT"] == "${{ github.event.workflow_run.head_sha }}"
    (repository.folder / "results").mkdir()
    run(repository, "edgecheck check --format json=results/results.json")
    here = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "secret"}
    log = run(repository, f"{last['run']} || test $? = 3", GITHUB_ACTIONS="true", COMMIT="a" * 40, **here)
    assert "http://127.0.0.1:9 could not be asked" in log


def pipelines(root: Path) -> list[dict[str, Any]]:
    """GitLab's, each with the template in place of its include."""
    found = []
    template = included(root / "templates/edgecheck.gitlab-ci.yml")
    for block in of(root, "how-to/gitlab.md", "yaml"):
        pipeline = yaml.safe_load(block.text)
        (include,) = pipeline.pop("include")
        assert include["file"] == "templates/edgecheck.gitlab-ci.yml"
        found.append(template | {name: template.get(name, {}) | job for name, job in pipeline.items()})
    assert len(found) == 4
    return found


def test_pipelines_are_valid(root: Path, tmp_path: Path) -> None:
    options = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    for number, block in enumerate(of(root, "how-to/gitlab.md", "yaml")):
        place = tmp_path / f"{number}.gitlab-ci.yml"
        place.write_text(block.text, encoding="utf-8")
        done = subprocess.run([BIN / "check-jsonschema", *options, place], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.emulator
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_gitlab(repository: Project, root: Path, number: int) -> None:
    repository.budget("2 MB", REGRESSION, devices=EMULATED)
    base = repository.commit("base")
    here = {"EDGECHECK_PIP": "", "EDGECHECK_PACKAGES": "", "XDG_CACHE_HOME": str(user_cache_path())}
    where = {"CI_COMMIT_BRANCH": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    pipeline = pipelines(root)[number]
    ended = run_job(job_of(pipeline, "edgecheck"), repository.folder, here | where)
    assert ended.code == 0, ended.log
    assert "Every limit holds" in ended.log
    if pipeline["edgecheck"].get("variables", {}).get("EDGECHECK_BASELINE") == "base":
        assert "The base commit, " in ended.log
        assert "Every limit holds: 4 limits in 1 check." in ended.log


def test_pre_commits_line_for_a_script(repository: Project, root: Path) -> None:
    (block,) = of(root, "how-to/pre-commit.md", "sh")
    assert "1 file: 0 problems" in run(repository, block.text)


def test_pytest(repository: Project, root: Path) -> None:
    for block in blocks(root / "docs/how-to/pytest.md"):
        match block.language:
            case "python" | "ini":
                assert block.file
                repository.write(block.file, block.text)
            case "sh":
                assert re.search(r"\d passed", run(repository, block.text))
                # What has been measured is not measured again: the first test, of a file, is left.
                fits, board = (repository.folder / "tests" / f"test_{name}.py" for name in ("fits", "board"))
                fits.write_text(fits.read_text(encoding="utf-8").partition("\n\n\n")[0] + "\n", encoding="utf-8")
                board.unlink(missing_ok=True)
            case _:
                assert block.text.startswith("net.onnx")  # the test below


def test_pytests_message_is_the_one_printed(repository: Project, root: Path) -> None:
    repository.budget("1 MB")
    first, *_ = of(root, "how-to/pytest.md", "python")
    repository.write(first.file, first.text)
    (told,) = of(root, "how-to/pytest.md", "text")
    shown = run(repository, "python -m pytest tests -k budget || true", COLUMNS="100").splitlines()
    assert [line for line in told.text.splitlines() if line != "…" and line not in shown] == []


def test_completion(repository: Project, root: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for block in blocks(root / "docs/how-to/completion.md"):
        run(repository, block.text, HOME=str(home))
    scripts = (
        ".local/share/bash-completion/completions/edgecheck",
        ".zfunc/_edgecheck",
        ".config/fish/completions/edgecheck.fish",
    )
    assert [name for name in scripts if "_EDGECHECK_COMPLETE" not in (home / name).read_text(encoding="utf-8")] == []
    if zsh := shutil.which("zsh"):
        text = (root / "docs/how-to/completion.md").read_text(encoding="utf-8")
        (setting,) = re.findall(r"\*\*zsh\*\*, with `(.*?)`", text)
        found = run(repository, f"{zsh} -f -c '{setting} -u -D; print $_comps[edgecheck]'", HOME=str(home))
        assert found.strip() == "_edgecheck"


def test_the_library(repository: Project, root: Path) -> None:
    for block in blocks(root / "docs/reference/library.md"):
        if block.file:
            repository.write(block.file, block.text)
            assert "1 passed" in run(repository, "python -m pytest tests")
        else:
            repository.write("program.py", block.text)
            said = run(repository, "python program.py")
            assert "1.56 MB" in said


def test_the_library_page_names_all_there_is(root: Path) -> None:
    import inspect

    import edgecheck

    text = (root / "docs/reference/library.md").read_text(encoding="utf-8")
    names = [name for name in edgecheck.__all__ if not re.search(rf"^\| `{name}\b", text, re.MULTILINE)]
    arguments = [name for name in inspect.signature(edgecheck.check).parameters if f"`{name}`" not in text]
    assert (names, arguments) == ([], ["paths"])
