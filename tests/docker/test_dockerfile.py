"""Dockerfile.arm64 as it is written: linted, pinned, in an order that rebuilds little, and as the documents call it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.images import DOCKERFILE, ROOT

HADOLINT = Path(sys.executable).parent / "hadolint"


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions and arguments of each stage, FROM first, by the stage's name."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    starts = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    found = {}
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        found[lines[start].rpartition(" AS ")[2]] = [_divided(line) for line in lines[start:end]]
    return found


def _divided(line: str) -> tuple[str, str]:
    instruction, _, arguments = line.partition(" ")
    return instruction, arguments


def copied(stage: str) -> list[str]:
    """The arguments of the COPYs of a stage."""
    return [arguments for instruction, arguments in stages()[stage] if instruction == "COPY"]


def sent(*names: str) -> set[str]:
    """What these stages copy from the context."""
    lines = [line.split() for name in names for line in copied(name)]
    return {source for words in lines if not words[0].startswith("--from=") for source in words[:-1]}


def needed(stage: str) -> list[str]:
    """The stage, and those that it is based on or copies from, and so on."""
    found = [stage]
    for name in found:
        said = [stages()[name][0][1].split()[0], *(line.split()[0].removeprefix("--from=") for line in copied(name))]
        found += [other for other in said if other in stages() and other not in found]
    return found


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, "--no-color", DOCKERFILE], check=False, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_one_base_pinned_by_its_date() -> None:
    bases = [instructions[0][1].split()[0] for instructions in stages().values()]
    outside = [base for base in bases if base not in stages()]
    assert len(outside) == 1
    assert re.fullmatch(r"debian:bookworm-20\d{6}-slim", outside[0])


def test_the_runtime_runs_as_an_unprivileged_user() -> None:
    instructions = stages()["runtime"]
    users = [arguments for instruction, arguments in instructions if instruction == "USER"]
    assert users == ["1000:1000"]
    assert "RUN" not in [instruction for instruction, _ in instructions[instructions.index(("USER", users[0])) :]]


def test_a_change_of_the_sources_does_not_reinstall_dependencies() -> None:
    assert sent(*needed("dependencies")) == {"constraints.txt", "pyproject.toml"}
    assert sent("dependencies") == set()  # pyproject.toml is read in a separate stage, which writes the requirements
    assert [line.split()[0] for line in copied("runtime")[-2:]] == ["--from=dependencies", "--from=package"]


def test_what_is_sent_is_what_is_copied() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == sent(*stages())
    assert all((ROOT / name).exists() for name in sent(*stages()))


@pytest.mark.parametrize("document", ["Dockerfile.arm64", "docs/how-to/docker.md", "docs/reference/emulator.md"])
def test_documents_name_stages_that_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    called = re.findall(r"(?:docker|podman|buildah) (?:buildx )?build .*?--target (\w+)", text)
    assert called
    assert set(called) <= stages().keys()
    assert all("--platform linux/arm64" in line for line in text.splitlines() if "--target" in line and "build" in line)
