"""Projects (`project`, `project_model`, `toml_reader`): where a file is found, what it means, what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.checks.plan import addresses
from edgecheck.config import Profiles, Project, lint, load_budgets, load_project
from edgecheck.config.problems import PROJECT, PROJECT_HINT
from edgecheck.core.address import LOCAL, parse
from edgecheck.errors import ConfigError

Write = Callable[[str, str], Path]


def test_without_a_file_the_budgets_are_the_folder_of_that_name(here: Path) -> None:
    assert load_project(here) == Project(root=here, budgets=())
    (here / "budgets").mkdir()
    assert load_project(here) == Project(root=here, budgets=(Path("budgets"),))


def test_it_says_where_budgets_profiles_and_devices_are(write: Write, here: Path) -> None:
    (here / "boards").mkdir()
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
    (here / "boards").mkdir()
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
        ("targets: {board: []}\n",
         "1:18: targets.board: is an empty list; expected an address for each board, or one without a list"),
        ("targets: {board: ['ssh://pi@a', 'adb://b', 'ssh://pi@A?python=python3.9']}\n",
         ("1:44: targets.board[2]: ssh://pi@A?python=python3.9 is the same board as one before; name each board once")),
        ("targets: {board: ['ssh://pi@a', qemu]}\n",
         ("1:33: targets.board[1]: qemu is the emulated machine, which is not a board: give it alone")),
        ("targets: {board: [3]}\n",
         ('1:19: targets.board[0]: found 3, which YAML reads as a number (it is text in quotes: "3"); '
          "expected an address, such as ssh://pi@raspberrypi.local")),
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


def test_a_device_may_have_several_boards(write: Write, here: Path) -> None:
    write("edgecheck.yaml", "targets: {pi: ['ssh://pi@a', 'adb://b'], jetson: ['ssh://jet@c'], desk: [local]}\n")
    found = load_project(here)
    boards = (parse("ssh://pi@a"), parse("adb://b"))
    assert found.targets == {"pi": boards[0], "jetson": parse("ssh://jet@c"), "desk": parse("local")}
    assert found.racks == {"pi": boards}
    assert found.addresses("pi") == boards
    assert found.addresses("jetson") == (parse("ssh://jet@c"),)
    write("edgecheck.yaml", "")
    (here / "edgecheck.yaml").unlink()
    write("pyproject.toml", "[tool.edgecheck.targets]\npi = ['ssh://pi@a', 'adb://b']\n")
    assert load_project(here).racks == {"pi": boards}


def test_budgets_may_be_patterns(write: Write, here: Path) -> None:
    for name in ("apps/cam/budgets/a.yaml", "apps/bell/budgets/b.yaml", "apps/none/x"):
        write(name, "")
    write("edgecheck.yaml", "budgets: [apps/*/budgets, more.yaml]\n")
    assert load_project(here).budgets == (Path("apps/bell/budgets"), Path("apps/cam/budgets"), Path("more.yaml"))
    write("edgecheck.yaml", "budgets: [apps/*/budget]\nprofiles: nothere\n")
    with pytest.raises(ConfigError) as caught:
        load_project(here)
    assert caught.value.problems == (
        "edgecheck.yaml:2:11: profiles: there is no folder nothere",
        "edgecheck.yaml:1:11: budgets[0]: apps/*/budget matches nothing in this folder",
    )


PYPROJECT = """\
[project]
name = "cam"

[tool.other]
edgecheck = 1

[tool.edgecheck]
budgets = ["ci/budgets"]

[tool.edgecheck.targets]
"raspberry-pi-4-2gb" = "ssh://pi@raspberrypi.local"
"""


def test_pyproject_toml_is_a_projects_file_too(write: Write, here: Path) -> None:
    write("pyproject.toml", PYPROJECT)
    write("deep/pyproject.toml", "[project]\nname = 'deep'\n")
    expected = Project(
        root=here,
        budgets=(Path("ci/budgets"),),
        targets={"raspberry-pi-4-2gb": parse("ssh://pi@raspberrypi.local")},
    )
    assert load_project(here) == expected
    assert load_project(here / "deep") == expected
    write("edgecheck.yaml", "budgets: other\n")
    assert load_project(here).budgets == (Path("other"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.edgecheck]\nbudget = 'x'\n", "2:1: budget: unknown key; did you mean budgets?"),
        ("x = 1\n[tool.edgecheck]\n  targets = {board = 'locl'}\n",
         "3:3: targets.board: unknown target 'locl'; did you mean local?"),
        ("[tool]\nedgecheck.profiles = 'nothere'\n", "2:1: profiles: there is no folder nothere"),
        ("[tool.edgecheck.targets]\nboard = 3\n",
         ('2:1: targets.board: found 3, which YAML reads as a number (it is text in quotes: "3"); '
          "expected an address, such as ssh://pi@raspberrypi.local")),
    ],
)  # fmt: skip
def test_a_wrong_table_gives_its_problem(write: Write, here: Path, text: str, message: str) -> None:
    write("pyproject.toml", text)
    with pytest.raises(ConfigError) as caught:
        load_project(here)
    assert caught.value.problems == (f"pyproject.toml:{message}",)
    assert [str(problem) for problem in lint([Path("pyproject.toml")]).problems] == [f"pyproject.toml:{message}"]


def test_a_pyproject_toml_that_is_damaged_or_not_about_us_is_left_alone(write: Write, here: Path) -> None:
    for text in ("[tool.edgecheck\n", "edgecheck = 1\n", "[tool]\nedgecheck = 3\n", "tool = 1 # edgecheck\n"):
        write("pyproject.toml", text)
        assert load_project(here) == Project(root=here, budgets=())


def test_profiles_beside_a_budget_and_above_it_are_found(write: Write, here: Path) -> None:
    (here / ".git").mkdir()
    write("apps/cam/net.tflite", "")
    board = (Path(__file__).parent / "board.yaml").read_text(encoding="utf-8")
    write("apps/cam/device_profiles/door-cam.yaml", board)
    write("apps/lib/boards/lib-board.yaml", board)
    write("apps/cam/edgecheck.yaml", "profiles: ../lib/boards\ntargets: {door-cam: 'ssh://pi@cam'}\n")
    path = write("apps/cam/budgets/a.yaml", "model: ../net.tflite\ndevices: [door-cam, lib-board]\n")
    (budget,) = load_budgets([path], profiles=Profiles())
    assert [device.path for device, _ in budget.devices] == [
        "apps/cam/device_profiles/door-cam.yaml",
        "apps/lib/boards/lib-board.yaml",
    ]
    assert lint([path, Path("apps/cam/edgecheck.yaml")]).problems == ()
    assert addresses((), load_project(here), [budget]).by_device == {"door-cam": parse("ssh://pi@cam")}
    write("edgecheck.yaml", "targets: {door-cam: 'ssh://pi@root'}\n")
    assert addresses((), load_project(here), [budget]).by_device == {"door-cam": parse("ssh://pi@root")}


def test_the_nearest_profile_counts_and_a_given_folder_before_it(write: Write, here: Path) -> None:
    board = (Path(__file__).parent / "board.yaml").read_text(encoding="utf-8")
    for folder in ("device_profiles", "apps/device_profiles", "apps/cam/device_profiles", "given"):
        write(f"{folder}/board.yaml", board)
    (here / ".git").mkdir()
    path = write("apps/cam/budgets/a.yaml", "model: ../../../net.tflite\ndevices: [board]\n")
    for folders, expected in (((), "apps/cam/device_profiles/board.yaml"), ((Path("given"),), "given/board.yaml")):
        (budget,) = load_budgets([path], profiles=Profiles(folders))
        assert budget.devices[0][0].path == expected


def test_a_broken_project_file_beside_a_budget_is_reported_with_its_problems(write: Write, here: Path) -> None:
    write("app/edgecheck.yaml", "profile: x\n")
    path = write("app/budgets/a.yaml", "modell: net.tflite\n")
    (here / ".git").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_budgets([path], profiles=Profiles())
    assert "app/edgecheck.yaml:1:1: profile: unknown key; did you mean profiles?" in caught.value.problems
    assert len(caught.value.problems) > 2
