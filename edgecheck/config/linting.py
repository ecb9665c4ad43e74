"""Checks budgets, profiles and projects without running anything, and doubts limits that are valid but pointless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.config.budget_file import budget_in
from edgecheck.config.budget_model import BudgetKeys
from edgecheck.config.doubts import doubts, gaps, too_tight, too_tight_for_samples, too_tight_rules
from edgecheck.config.files import shown_path, yaml_files
from edgecheck.config.problems import Findings, Place, Problem, RefusedError, path_text
from edgecheck.config.profile_model import ProfileKeys
from edgecheck.config.profiles import Profiles
from edgecheck.config.project_model import read_project
from edgecheck.config.tree import MappingNode, at
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.budget import Effort
from edgecheck.core.device import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from edgecheck.config.tree import Node
    from edgecheck.core.budget import Budget
    from edgecheck.core.comparability import Allowance
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.limits import Limit

_PROJECT = "edgecheck.yaml"


def lint(paths: Sequence[Path], profiles: Sequence[Path] = ()) -> Findings:
    """Looks at files, and at every YAML file in folders; what each is shows from its name or its keys.

    Args:
        paths: Files and folders.
        profiles: Folders to search for profiles first.
    """
    problems: list[Problem] = []
    linter = _Linter(yaml_files(paths, problems), profiles)
    linter.problems += problems
    for path in linter.files:
        linter.look_at(path)
    return Findings(len(linter.files), tuple(sorted(set(linter.problems))), tuple(sorted(set(linter.warnings))))


class _Linter:
    def __init__(self, files: Sequence[Path], folders: Iterable[Path]) -> None:
        self.files = files
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.trees: dict[Path, Node] = {}
        for path in files:
            try:
                self.trees[path] = read_file(path)
            except RefusedError as error:
                self.problems.append(error.problem)
        self.beside = {
            path.parent: Profiles([path.parent, *folders]) for path, tree in self.trees.items() if _is_profile(tree)
        }
        self.profiles = Profiles([*folders, *self.beside])

    def look_at(self, path: Path) -> None:
        tree = self.trees.get(path)
        if tree is None:
            return
        if path.name == _PROJECT:
            self._look_at_project(path, tree)
        elif _is_profile(tree):
            self._look_at_profile(path)
        else:
            self._look_at_budget(path, tree)

    def _look_at_budget(self, path: Path, tree: Node) -> None:
        budget = budget_in(tree, path, self.profiles, self.problems, absent=self.warnings)
        if budget is not None:
            self.warnings += _doubts_about(budget, tree)
            for rule, message in too_tight_rules(budget.regression, budget):
                place, where = _place_of(rule, tree, ["regression"])
                self.warnings.append(Problem(place, where, message))

    def _look_at_profile(self, path: Path) -> None:
        if path.stem == THIS_MACHINE:
            message = f"is never read: {THIS_MACHINE} is generated; give the file another name"
            self.problems.append(Problem(Place(shown_path(path)), "", message))
            return
        found = self.beside[path.parent].find(path.stem)
        self.problems += found.problems
        if found.profile is not None and found.tree is not None:
            self.warnings += _doubts_about_profile(found.profile, found.tree)

    def _look_at_project(self, path: Path, tree: Node) -> None:
        keys, problems = read_project(path)
        self.problems += problems
        for device in keys.targets if keys else ():
            if trouble := self.profiles.trouble(device):
                place = at(tree, ["targets", device]).mark.place
                self.problems.append(Problem(place, path_text(["targets", device]), trouble))


def _is_profile(tree: Node) -> bool:
    """Whether a file has more keys of a profile than of a budget."""
    keys = set(tree.entries) if isinstance(tree, MappingNode) else set()
    return len(keys & ProfileKeys.keys.keys()) > len(keys & BudgetKeys.keys.keys())


def _doubts_about(budget: Budget, tree: Node) -> Iterator[Problem]:
    for profile, limits in budget.devices:
        for limit in limits:
            if limit.source.kind == "budget":
                place, path = _place_of(limit, tree, ["devices", profile.id], ["limits"])
                told = (
                    *doubts(limit, profile),
                    *too_tight(limit, budget.effort),
                    *too_tight_for_samples(limit, budget),
                )
                yield from (Problem(place, path, message) for message in told)


def _doubts_about_profile(profile: DeviceProfile, tree: Node) -> Iterator[Problem]:
    for limit in profile.limits:
        place, path = _place_of(limit, tree, ["limits"])
        told = (*doubts(limit, profile), *too_tight(limit, Effort()))
        yield from (Problem(place, path, message) for message in told)
    for message in gaps(profile.limits):
        yield Problem(at(tree, ["limits"]).mark.place, "limits", message)


def _place_of(limit: Limit | Allowance, tree: Node, *sections: list[str]) -> tuple[Place, str]:
    """Where a limit is written: in the first of the sections that has it."""
    name = limit.metric.name
    written = (
        (section.entries[name].key.place, path_text([*parts, name]))
        for parts in sections
        if isinstance(section := at(tree, parts), MappingNode) and name in section.entries
    )
    return next(written)
