"""What pip calls us: on the package index, `edgecheck` is a stranger's project, and nothing may install it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edgecheck.converters.routes import DISTRIBUTION, ROUTES

#: A name that pip looks up: `edgecheck` by itself, after `pip install`, or with extras.
_STRANGER = re.compile(
    r"pip3? install (?:[^\n#]*[\s'\"])?edgecheck(?![\w./-])|(?<![\w/.-])edgecheck\[[a-z]|\"edgecheck(\$\{|==)"
)
#: Until a release is published, ours comes from a folder, or from an address at a commit.
_BY_NAME = re.compile(r"pip3? install [^\n]*edgecheck-ml(?![^\n]*@ git\+https://\S+@[0-9a-f]{40})")


def committed(root: Path) -> dict[str, str]:
    """The text files of the repository that tell somebody or something what to install."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    kinds = (".md", ".py", ".yml", ".yaml", ".toml", ".sh", ".txt")
    names = [name for name in listed.split("\0") if name.endswith(kinds) or Path(name).name in ("Makefile", "run")]
    found = {name: root / name for name in names if name not in ("CHANGELOG.md", "tests/test_packaging.py")}
    return {name: path.read_text(encoding="utf-8") for name, path in found.items() if path.is_file()}


@pytest.mark.slow
def test_nothing_installs_the_strangers_project(root: Path) -> None:
    files = committed(root)
    assert len(files) > 300
    assert {name: found[0] for name, text in files.items() if (found := _STRANGER.search(text))} == {}


@pytest.mark.slow
def test_pages_and_templates_install_ours_from_a_folder_or_a_commit(root: Path) -> None:
    told = {name: text for name, text in committed(root).items() if not name.startswith(("edgecheck", "tests"))}
    assert "README.md" in told
    assert {name: found[0] for name, text in told.items() if (found := _BY_NAME.search(text))} == {}


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("pip install edgecheck", True),
        ("pip install 'edgecheck[tflite,onnx]'", True),
        ('    pip install --quiet "edgecheck==1.0"', True),
        ("python -m pip install -U edgecheck\n", True),
        ("EDGECHECK_PIP: edgecheck[tflite,onnx]", True),
        ("pip install 'edgecheck-ml[tflite]'", False),
        ("pip install ./edgecheck", False),
        ("pip install '.[tflite]'   # edgecheck", False),
        ("run edgecheck check", False),
    ],
)
def test_the_pattern_finds_a_bare_name(line: str, *, is_found: bool) -> None:
    assert bool(_STRANGER.search(line)) is is_found


def test_hints_name_the_distribution_and_extras_that_exist(root: Path) -> None:
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf'^name = "{DISTRIBUTION}"$', project, re.MULTILINE)
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    named = {route.extra for route in ROUTES}
    assert named
    assert {extra for extra in named if not re.search(rf"^{extra} = ", extras, re.MULTILINE)} == set()


def test_every_action_is_the_same_version_everywhere(root: Path) -> None:
    """Pinned to a commit, with the version beside it; one version of each action in action.yml and the pages."""
    places = [root / "action.yml", *sorted((root / "docs/how-to").glob("*.md"))]
    used = [
        found
        for place in places
        for found in re.findall(r"uses: (actions/[\w-]+)[\w/-]*@([0-9a-f]{40}) # v(\d+)\.", place.read_text("utf-8"))
    ]
    assert len(used) > 5
    assert len(set(used)) == len({name for name, _, _ in used})
