"""`edgecheck.yaml` (`project`, `project_model`): where it is found, what it means, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.config import Project, load_project
from edgecheck.config.problems import PROJECT, PROJECT_HINT
from edgecheck.core.address import LOCAL, parse
from edgecheck.errors import ConfigError

Write = Callable[[str, str], Path]


def test_without_a_file_the_budgets_are_the_folder_of_that_name(here: Path) -> None:
    assert load_project(here) == Project(root=here, budgets=())
    (here / "budgets").mkdir()
    assert load_project(here) == Project(root=here, budgets=(Path("budgets"),))


def test_it_says_where_budgets_profiles_and_devices_are(write: Write, here: Path) -> None:
    write(
        "edgecheck.yaml",
        "budgets: [ci/budgets, ci/extra.yaml]\nprofiles: boards\ntargets: {board: local, other: 'ssh://pi@x:22'}\n",
    )
    assert load_project(here) == Project(
        root=here,
        budgets=(Path("ci/budgets"), Path("ci/extra.yaml")),
        profiles=(Path("boards"),),
        targets={"board": LOCAL, "other": parse("ssh://pi@x:22")},
    )


def test_what_it_leaves_out_is_as_without_it(write: Write, here: Path) -> None:
    write("edgecheck.yaml", "targets:\nprofiles:\nbudgets: ci\n")
    assert load_project(here) == Project(root=here, budgets=(Path("ci"),))
    write("edgecheck.yaml", "targets: {}\n")
    write("budgets/b.yaml", "")
    assert load_project(here) == Project(root=here, budgets=(Path("budgets"),))


def test_it_is_found_from_below_up_to_the_git_root(write: Write, here: Path) -> None:
    write("edgecheck.yaml", "targets: {}\n")
    write("repo/deep/down/x", "")
    assert load_project(here / "repo" / "deep" / "down").root == here
    (here / "repo" / ".git").mkdir()
    assert load_project(here / "repo" / "deep" / "down").root == here / "repo" / "deep" / "down"
    write("repo/edgecheck.yaml", "targets: {}\n")
    assert load_project(here / "repo" / "deep").root == here / "repo"


def test_it_is_not_searched_above_the_home_folder(write: Write, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("edgecheck.yaml", "targets: {}\n")
    write("home/project/x", "")
    monkeypatch.setenv("HOME", str(here / "home"))
    assert load_project(here / "home" / "project") == Project(root=here / "home" / "project", budgets=())


def test_paths_are_as_a_user_in_the_working_directory_would_type_them(
    write: Write, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("edgecheck.yaml", "budgets: below/budgets\nprofiles: boards\n")
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    assert load_project(Path()) == Project(root=here, budgets=(Path("budgets"),), profiles=(here / "boards",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget: x\n", "1:1: budget: unknown key; did you mean budgets?"),
        ("budgets: 3\n",
         '1:10: budgets: found 3, which YAML reads as a number (it is text in quotes: "3"); expected text on one line'),
        ("targets: [board]\n", "1:10: targets: found a list; expected a mapping such as {raspberry-pi-4-2gb: ssh://pi@raspberrypi.local}"),
        ("targets: {board: }\n", "1:18: targets.board: is empty; expected an address, such as ssh://pi@raspberrypi.local"),
        ("targets: {board: locl}\n", "1:18: targets.board: unknown target 'locl'; did you mean local?"),
        ("targets: {board: 'ssh://pi@board:x'}\n",
         ("1:18: targets.board: 'ssh://pi@board:x' is not the address of a device: 'x' is not a port. "
         "It is written ssh://user@host or ssh://user@host:port.")),
        ("\tbudgets: x\n", "1:1: found a tab; YAML takes spaces to indent"),
    ],
)  # fmt: skip
def test_a_wrong_file_gives_its_problem(write: Write, here: Path, text: str, message: str) -> None:
    write("edgecheck.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_project(here)
    assert caught.value.problems == (f"edgecheck.yaml:{message}",)
    assert caught.value.hint == PROJECT_HINT


def test_an_address_that_nothing_speaks_is_reported_with_those_that_are_spoken(write: Write, here: Path) -> None:
    write("edgecheck.yaml", "targets: {board: 'ftp://board'}\n")
    with pytest.raises(ConfigError, match=r"unknown target 'ftp://board'; expected an address of .*local"):
        load_project(here)


def test_the_example_next_to_the_problems_is_valid(write: Write, here: Path) -> None:
    write("edgecheck.yaml", PROJECT)
    assert load_project(here).targets == {"raspberry-pi-4-2gb": parse("ssh://pi@raspberrypi.local")}
