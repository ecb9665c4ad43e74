"""The keys of `edgecheck.yaml`: what each takes, and what it means."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Discriminator, Tag

from edgecheck.config.fields import FileKeys, Reads, TakesTextError, Text, key
from edgecheck.config.problems import Problem, RefusedError, did_you_mean
from edgecheck.config.translation import validate
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.address import TARGETS, Address, kind_of, parse
from edgecheck.core.units import shown
from edgecheck.errors import UsageError


def _read_address(raw: object) -> Address:
    if not isinstance(raw, str):
        raise TakesTextError("an address, such as ssh://pi@raspberrypi.local")
    if kind_of(raw) is None:
        advice = did_you_mean(raw, TARGETS) or f"; takes an address of {', '.join(TARGETS)}"
        raise ValueError(f"no target is called {shown(raw)}{advice}")
    try:
        return parse(raw)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}") from error


_Paths = Annotated[
    Annotated[Text, Tag("<value>")] | Annotated[list[Text], Tag("<list>")],
    Discriminator(lambda raw: "<list>" if isinstance(raw, list) else "<value>"),
]
_Address = Annotated[Address, Reads(_read_address, {"type": "string"})]


class ProjectKeys(FileKeys):
    """Where a project keeps its budgets and profiles, and where its devices are."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="edgecheck project")

    budgets: _Paths | None = key(
        "Files or folders, relative to this file; by default budgets.", "budgets", default=None
    )
    profiles: _Paths = key("Folders of device profiles, relative to this file.", ["device_profiles"], default=[])
    targets: dict[Text, _Address] = key(
        "The address of each device.", {"raspberry-pi-4-2gb": "ssh://pi@raspberrypi.local"}, default={}
    )


def read_project(path: Path) -> tuple[ProjectKeys | None, list[Problem]]:
    """The file's keys, or None and its problems."""
    problems: list[Problem] = []
    try:
        tree = read_file(path)
    except RefusedError as error:
        return None, [error.problem]
    return validate(ProjectKeys, tree, problems), problems
