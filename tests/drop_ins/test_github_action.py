"""`action.yml`: valid, safe, and run step by step in real repositories."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.drop_ins.github_runner import BIN, Cache, Ended, Runner
from tests.drop_ins.projects import Project, make_repository

REGRESSION = "regression: {size: 1%}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """A project in a repository of its own."""
    return make_repository(tmp_path / "repository")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """GitHub's, empty."""
    return Cache(tmp_path / "github-cache")


def runner(project: Project, cache: Cache, **github: object) -> Runner:
    """A fresh machine."""
    home = project.folder.parent
    count = len(list(home.glob("machine-*")))
    machine = home / f"machine-{count}"
    # The temporary folder has the same path on each machine, as on GitHub's; what the last job left is gone.
    temp = home / "temp"
    if temp.exists():
        temp.rename(home / f"temp-of-{count}")
    machine.mkdir()
    return Runner(project.folder, temp, cache, dict(github), home=home / "cache")


def on_main(project: Project, cache: Cache) -> Runner:
    """A push to the default branch."""
    event = {"repository": {"default_branch": "main"}}
    return runner(project, cache, ref_name="main", event=event, sha=project.git("rev-parse", "HEAD"))


def on_change(project: Project, cache: Cache, base: str = "") -> Runner:
    """A pull request."""
    event = {"repository": {"default_branch": "main"}, "pull_request": {"base": {"sha": base}}}
    return runner(project, cache, ref_name="7/merge", event=event, sha=project.git("rev-parse", "HEAD"))


def use(on: Runner, root: Path, **inputs: str) -> Ended:
    """The action with the edgecheck that is here, without its emulator."""
    return on.run(root, **{"version": "installed", "emulator": "false", **inputs})


def scripts(root: Path) -> dict[str, str]:
    """The scripts of the action by the step's name."""
    steps = yaml.safe_load((root / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step}


def test_it_is_a_valid_action(root: Path) -> None:
    argv = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-actions", str(root / "action.yml")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_an_audit_finds_nothing(root: Path) -> None:
    argv = [str(BIN / "zizmor"), "--offline", "--no-progress", "--persona", "auditor", str(root / "action.yml")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_script_holds_an_expression(root: Path) -> None:
    assert [name for name, script in scripts(root).items() if "${{" in script] == []


def test_every_action_is_pinned_to_a_commit(root: Path) -> None:
    used = re.findall(r"uses: (\S+)", (root / "action.yml").read_text(encoding="utf-8"))
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40}", name)] == []


def test_the_scripts_have_no_lint(root: Path, tmp_path: Path) -> None:
    for number, (name, script) in enumerate(scripts(root).items()):
        place = tmp_path / f"{number}.sh"
        place.write_text(f"#!/bin/bash\nset -eo pipefail\n# {name}\n{script}", encoding="utf-8")
    done = subprocess.run(
        [BIN / "shellcheck", "--severity=style", *sorted(tmp_path.glob("*.sh"))],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_every_input_and_output_is_documented(root: Path) -> None:
    described = yaml.safe_load((root / "action.yml").read_text(encoding="utf-8"))
    page = (root / "docs/how-to/github.md").read_text(encoding="utf-8")
    assert [name for name in (*described["inputs"], *described["outputs"]) if f"`{name}`" not in page] == []


def test_a_budget_that_holds(repository: Project, cache: Cache, root: Path) -> None:
    ended = use(on_change(repository, cache), root)
    assert not ended.failed, ended.log
    assert ended.outputs["status"] == "pass"
    assert ended.outputs["exit-code"] == "0"
    assert json.loads(Path(ended.outputs["results"]).read_text(encoding="utf-8"))["status"] == "pass"
    assert "Every limit holds: 1 limit in 1 check." in ended.log
    assert ended.summary.startswith("<!-- edgecheck -->")


def test_a_budget_that_does_not(repository: Project, cache: Cache, root: Path) -> None:
    repository.budget("1 MB")
    ended = use(on_change(repository, cache), root, format="junit=report.xml\nhtml=report.html")
    assert ended.failed
    assert (ended.outputs["status"], ended.outputs["exit-code"]) == ("fail", "1")
    assert "::error file=budgets/net.yaml,line=4," in ended.log
    assert "1.56 MB" in ended.summary
    assert (repository.folder / "report.xml").exists()
    assert (repository.folder / "report.html").exists()


def test_a_mistake(repository: Project, cache: Cache, root: Path) -> None:
    repository.write("budgets/net.yaml", "modle: net.onnx\n")
    ended = use(on_change(repository, cache), root)
    assert ended.failed
    assert Path(ended.outputs["report"]).read_text(encoding="utf-8") == ended.summary
    expected = {"results": "", "status": "error", "exit-code": "2", "status-line": "❌ Nothing was checked: 3 mistakes"}
    assert {name: value for name, value in ended.outputs.items() if name != "report"} == expected
    assert "budgets/net.yaml:1:1: " in ended.log
    assert "::error file=budgets/net.yaml,line=1,col=1,title=edgecheck::modle" in ended.log


def test_in_a_folder_of_the_repository_files_are_named_from_its_root(
    repository: Project, cache: Cache, root: Path
) -> None:
    app = Project(repository.folder / "apps" / "cam")
    app.folder.mkdir(parents=True)
    app.model()
    app.budget("1 MB")
    ended = use(on_change(repository, cache), root, working_directory="apps/cam")
    assert ended.outputs["exit-code"] == "1"
    assert "::error file=apps/cam/budgets/net.yaml,line=4," in ended.log


def test_the_comment_is_posted_on_a_pull_request_and_changes_no_verdict(
    repository: Project, cache: Cache, root: Path
) -> None:
    """Nobody listens at this address: what is posted is in tests/cli/test_comment.py."""
    event = repository.write("../event.json", '{"pull_request": {"number": 5}}')
    machine = on_change(repository, cache)
    machine.environment = {
        "GITHUB_API_URL": "http://127.0.0.1:9",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "o/r",
    }
    ended = use(machine, root, token="secret", cache="false")
    assert not ended.failed, ended.log
    assert "http://127.0.0.1:9 could not be asked" in ended.log
    assert "::notice title=edgecheck::The report was not posted as a comment" in ended.log
    assert ended.outputs["status-line"] == "✅ Every limit holds: 1 limit in 1 check."
    silent = use(machine, root, comment="false", cache="false")
    assert "Comment on the pull request" not in silent.ran


def test_every_input_reaches_the_command(repository: Project, cache: Cache, root: Path) -> None:
    (repository.folder / "sub dir").mkdir()
    (repository.folder / "net.onnx").rename(repository.folder / "sub dir" / "a net.onnx")
    ended = use(
        on_change(repository, cache),
        root,
        working_directory="sub dir",
        paths="a net.onnx",
        device="raspberry-pi-4-2gb\npixel-8\n",
        target="local",
        limit="size=1.5 MB\n\nparams=1000000\nlatency_p50=off\n",
        on_unknown="warn",
        fail_on="warn",
        jobs="2",
        format="markdown=../told.md",
    )
    assert ended.outputs["exit-code"] == "1", ended.log
    told = json.loads(Path(ended.outputs["results"]).read_text(encoding="utf-8"))
    assert [check["device"] for check in told["checks"]] == ["raspberry-pi-4-2gb", "pixel-8"]
    verdicts = {verdict["metric"]: verdict["status"] for verdict in told["checks"][0]["verdicts"]}
    assert (verdicts["size"], verdicts["params"], verdicts["ram_peak"]) == ("fail", "pass", "warn")
    assert (repository.folder / "told.md").exists()


@pytest.mark.parametrize(
    "names",
    [["paths", "target", "device", "limit", "format", "on_unknown", "jobs", "fail_on"], ["paths"], ["baseline"]],
)
@pytest.mark.parametrize("hostile", ["x'\"; touch pwned; `touch pwned` $(touch pwned)", "--trust\n; touch pwned"])
def test_an_input_is_never_run(names: list[str], hostile: str, repository: Project, cache: Cache, root: Path) -> None:
    """All that become words of one command are in it before it starts; the base is another command's."""
    ended = use(on_change(repository, cache), root, cache="false", **dict.fromkeys(names, hostile))
    assert ended.failed
    assert ended.outputs["exit-code"] == "2", ended.log
    assert list(repository.folder.rglob("pwned")) == []


def test_results_of_main_are_kept_and_a_change_is_compared_with_them(
    repository: Project, cache: Cache, root: Path
) -> None:
    repository.budget("2 MB", REGRESSION)
    repository.model("mtcnn_rnet.onnx")
    base = repository.commit("a budget on growth")
    first = use(on_change(repository, cache, base), root, baseline="main")
    assert "No results of the default branch are kept yet: nothing is compared." in first.log
    assert not first.failed

    main = use(on_main(repository, cache), root, baseline="main")
    assert not main.failed, main.log
    assert [key for key in cache.keys if "baseline" in key] == [f"edgecheck-baseline-gate-budget--{base}"]

    same = use(on_change(repository, cache, base), root, baseline="main")
    assert not same.failed
    assert "Every limit holds: 2 limits in 1 check." in same.log

    repository.model()
    grown = use(on_change(repository, cache, base), root, baseline="main")
    assert grown.outputs["status"] == "fail"
    assert re.search(r"✘ fail  size \(growth\)|✘ fail +size.*\n.*✘|grew", grown.log), grown.log


def test_a_main_that_fails_is_not_a_baseline(repository: Project, cache: Cache, root: Path) -> None:
    repository.budget("1 MB", REGRESSION)
    repository.commit("too big")
    assert use(on_main(repository, cache), root, baseline="main").failed
    assert [key for key in cache.keys if "baseline" in key] == []


def test_base_and_head_in_one_job(repository: Project, cache: Cache, root: Path) -> None:
    repository.budget("2 MB", REGRESSION)
    repository.model("mtcnn_rnet.onnx")
    base = repository.commit("base")
    repository.model()
    repository.commit("head")
    ended = use(on_change(repository, cache, base), root, baseline="base")
    assert ended.outputs["status"] == "fail", ended.log
    told = json.loads(Path(ended.outputs["results"]).read_text(encoding="utf-8"))
    assert [verdict["status"] for verdict in told["checks"][0]["verdicts"]] == ["pass", "fail"]
    assert repository.git("worktree", "list").count("\n") == 0
    assert ended.summary.count("<!-- edgecheck -->") == 1  # the base's own report is none of the change's


def test_a_base_that_has_to_be_fetched_and_made_ready(repository: Project, cache: Cache, root: Path) -> None:
    """A clone of depth one, as actions/checkout makes; the model is no part of the repository."""
    repository.budget("2 MB", REGRESSION)
    model = repository.folder.parent / "model.onnx"
    (repository.folder / "net.onnx").rename(model)
    base = repository.commit("base")
    repository.write("README", "head\n")
    repository.commit("head")
    clone = Project(repository.folder.parent / "clone")
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone.folder))
    clone.model()
    ended = use(on_change(clone, cache, base), root, baseline="base", prepare=f'cp "{model}" net.onnx')
    assert not ended.failed, ended.log
    assert "Every limit holds: 2 limits in 1 check." in ended.log
    unready = use(on_change(clone, cache, base), root, baseline="base", prepare="false")
    assert "The base commit could not be checked (exit code 1): nothing is compared." in unready.log
    assert not unready.failed


@pytest.mark.parametrize("base", ["", "0" * 40, "$(touch pwned)"])
def test_no_base_commit(base: str, repository: Project, cache: Cache, root: Path) -> None:
    ended = use(on_change(repository, cache, base), root, baseline="base")
    assert not ended.failed, ended.log
    assert "This run has no base commit: nothing is compared." in ended.log


def test_the_cache_is_saved_when_it_has_changed_and_only_then(repository: Project, cache: Cache, root: Path) -> None:
    repository.budget("2 MB", "variants: [int8-dynamic]\n")
    one = use(on_change(repository, cache), root)
    assert not one.failed, one.log
    assert len(cache.keys) == 1
    assert re.fullmatch(r"edgecheck-[\w.]+-Linux-X64-qemu-[\w.]+-[0-9a-f]{16}-[0-9a-f]{16}", cache.keys[0])
    two = use(on_change(repository, cache), root)
    assert not two.failed, two.log
    assert "Save the cache" in one.ran
    assert "Save the cache" not in two.ran
    repository.budget("2 MB", "variants: [int8-dynamic, float16]\n")
    use(on_change(repository, cache), root, on_unknown="warn")


def test_it_installs_itself(repository: Project, cache: Cache, root: Path) -> None:
    """Into an environment of its own, from the action's own folder; later steps find the command."""
    ended = on_change(repository, cache).run(root, extras="", emulator="false")
    assert not ended.failed, ended.log
    assert ended.path == (str(repository.folder.parent / "temp" / "edgecheck" / "bin"),)
    done = subprocess.run([Path(ended.path[0]) / "edgecheck", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("edgecheck ")
    ask = "from importlib.metadata import metadata, version as v; print(v('numpy'), metadata('edgecheck-ml'))"
    python = Path(ended.path[0]) / "python"
    told = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout
    pinned = dict(line.split("==") for line in (root / "constraints.txt").read_text(encoding="utf-8").split())
    assert told.split()[0] == pinned["numpy"]
    # The package's own page: every link works outside of the repository.
    links = re.findall(r"\]\((?!#)([^)\s]+)\)", told)
    assert len(links) > 5
    assert [link for link in links if not link.startswith("https://")] == []


@pytest.mark.emulator
def test_the_emulated_device(repository: Project, cache: Cache, root: Path) -> None:
    """With the user's own cache, which has or gets the system."""
    repository.budget(
        "2 MB", devices="raspberry-pi-4-2gb: {instructions: 200_000_000, latency_p50: off, footprint: off}"
    )
    machine = on_change(repository, cache)
    machine.home = None
    ended = use(machine, root, emulator="true", cache="false", target="qemu")
    assert not ended.failed, ended.log
    assert re.search(r"✔ pass  instructions +[\d.]+ ?M?.* emulated", ended.log), ended.log
