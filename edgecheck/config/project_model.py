"""The keys of `edgecheck.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from edgecheck.config.kinds import TEXT, ListOf, MappingOf, OrNothing, TakesTextError, Value, list_or
from edgecheck.config.problems import Problem, RefusedError, did_you_mean
from edgecheck.config.schema import Section, key, validate
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.address import TARGETS, Address, kind_of, parse
from edgecheck.core.units import shown
from edgecheck.errors import UsageError


def _read_address(raw: object) -> Address:
    if not isinstance(raw, str):
        raise TakesTextError("an address, such as ssh://pi@raspberrypi.local")
    if kind_of(raw) is None:
        advice = did_you_mean(raw, TARGETS) or f"; expected an address of {', '.join(TARGETS)}"
        raise ValueError(f"unknown target {shown(raw)}{advice}")
    try:
        return parse(raw)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}") from error


_PATHS = list_or(TEXT, ListOf(TEXT))
_ADDRESS = Value(_read_address, {"type": "string"})


class ProjectKeys(Section):
    """Where a project keeps its budgets and profiles, and where its devices are."""

    title: ClassVar[str] = "edgecheck project"

    budgets: str | list[str] | None = key(
        OrNothing(_PATHS), "Files or folders, relative to this file; by default budgets.", "budgets", default=None
    )
    profiles: str | list[str] = key(
        _PATHS, "Folders of device profiles, relative to this file.", ["device_profiles"], default=[]
    )
    targets: dict[str, Address] = key(
        MappingOf(TEXT, _ADDRESS),
        "The address of each device.",
        {"raspberry-pi-4-2gb": "ssh://pi@raspberrypi.local"},
        default={},
    )


def read_project(path: Path) -> tuple[ProjectKeys | None, list[Problem]]:
    """The file's keys, or None and its problems."""
    problems: list[Problem] = []
    try:
        tree = read_file(path)
    except RefusedError as error:
        return None, [error.problem]
    return validate(ProjectKeys, tree, problems), problems
