"""Tab, in real shells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgecheck.cli.commands import COMMANDS
from edgecheck.core.metrics import METRICS
from edgecheck.reports import FORMATS
from tests.cli.command import EDGECHECK, edgecheck
from tests.drop_ins.projects import Project
from tests.drop_ins.terminal import Terminal, terminal

PATH = f"{Path(EDGECHECK).parent}{os.pathsep}{os.environ['PATH']}"


def offered(line: str, folder: Path) -> list[str]:
    """What is offered for the last word of a command line, as bash's script asks for it."""
    words = line.split(" ")
    done = edgecheck(
        cwd=folder, COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1), _EDGECHECK_COMPLETE="bash_complete"
    )
    assert (done.code, done.err) == (0, "")
    return done.out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("edgecheck ", [f"plain,{name}" for name in COMMANDS]),
        ("edgecheck bud", ["plain,budget"]),
        ("edgecheck budget l", ["plain,lint"]),
        ("edgecheck check --device raspberry-pi-z", ["plain,raspberry-pi-zero-2-w"]),
        ("edgecheck devices show jetson-x", ["plain,jetson-xavier-nx"]),
        ("edgecheck check --limit ", [f"plain,{name}=" for name in METRICS]),
        ("edgecheck check --limit lat", [f"plain,{name}=" for name in METRICS if name.startswith("lat")]),
        ("edgecheck check --format ", [f"plain,{name}" for name in FORMATS]),
        ("edgecheck check --format json=he", ["file,json=he"]),
        (
            "edgecheck check --target ",
            ["plain,local", "plain,qemu", "plain,ssh://", "plain,adb://", "plain,labgrid://"],
        ),
        ("edgecheck check --target raspberry-pi-z", ["plain,raspberry-pi-zero-2-w="]),
        ("edgecheck check --target pixel-8=s", ["plain,pixel-8=ssh://"]),
        ("edgecheck check --on-unknown w", ["plain,warn"]),
        ("edgecheck completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
        ("edgecheck check bud", ["file,bud"]),
    ],
)
def test_what_is_offered(line: str, words: list[str], tmp_path: Path) -> None:
    assert offered(line, tmp_path) == words


def test_a_projects_own_profiles_are_offered(project: Project) -> None:
    project.write("edgecheck.yaml", "profiles: boards\n")
    project.write("boards/raspberry-pi-zero-mine.yaml", "name: mine\n")
    assert offered("edgecheck check --device raspberry-pi-z", project.folder) == [
        "plain,raspberry-pi-zero-2-w",
        "plain,raspberry-pi-zero-mine",
    ]


def test_a_broken_project_does_not_break_the_prompt(project: Project) -> None:
    project.write("edgecheck.yaml", "profiels: [\n")
    assert "plain,pixel-8" in offered("edgecheck check --device pix", project.folder)


def test_a_shell_that_is_not_known(tmp_path: Path) -> None:
    done = edgecheck("completion", "tcsh", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "'bash', 'zsh', 'fish'" in done.err


@contextmanager
def shell(name: str, folder: Path) -> Iterator[Terminal]:
    """An interactive one that has read its script."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    argv, prepare = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'; PS1='> '; "),
        "zsh": (["zsh", "-f", "-i"], "PS1='> '; autoload -Uz compinit; compinit -u -D; "),
    }[name]
    with terminal(argv, folder, {"PATH": PATH, "TERM": "xterm", "COLUMNS": "200", "HOME": str(folder)}) as opened:
        opened.type(f"{prepare}source <(edgecheck completion {name}); echo re''ady\n")
        opened.wait_for(r"[\r\n]ready\r\n")
        yield opened


@pytest.mark.parametrize("name", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("edgecheck doc", "edgecheck doctor "),
        ("edgecheck check --device raspberry-pi-z", "edgecheck check --device raspberry-pi-zero-2-w "),
        ("edgecheck check --format juni", "edgecheck check --format junit "),
        ("edgecheck check bud", "edgecheck check budgets/"),
        ("edgecheck check --format junit=net.o", "edgecheck check --format junit=net.onnx "),
    ],
)
def test_one_tab_completes(name: str, typed: str, completed: str, project: Project) -> None:
    with shell(name, project.folder) as opened:
        opened.type(f"{typed}\t")
        opened.wait_for(re.escape(completed))


def test_bash_puts_no_space_behind_what_takes_more(project: Project) -> None:
    with shell("bash", project.folder) as opened:
        opened.type("edgecheck check --limit ram_p\t80MiB --target ss\tpi@rack --format json=net\t")
        opened.wait_for(re.escape("--limit ram_peak=80MiB --target ssh://pi@rack --format json=net.onnx "))


def test_bash_lists_what_there_is(project: Project) -> None:
    with shell("bash", project.folder) as opened:
        opened.type("edgecheck emulator \t\t")
        shown = opened.wait_for(r"shell\s")
    assert [word for word in ("build", "import", "info") if word not in shown] == []


def test_fish_offers_the_same(project: Project) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed")

    def complete(line: str) -> list[str]:
        done = subprocess.run(
            [fish, "--no-config", "--command", f"edgecheck completion fish | source; complete --do-complete '{line}'"],
            check=True,
            capture_output=True,
            text=True,
            cwd=project.folder,
            env=os.environ | {"PATH": PATH, "HOME": str(project.folder)},
        )
        return [word.partition("\t")[0] for word in done.stdout.splitlines()]

    assert complete("edgecheck doc") == ["doctor"]
    assert sorted(complete("edgecheck check --device jetson-o")) == ["jetson-orin-nano", "jetson-orin-nx"]
    assert complete("edgecheck check --limit ram_p") == ["ram_peak="]
