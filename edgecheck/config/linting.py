"""Finds the problems of budgets, profiles and projects, and doubts about valid limits, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from edgecheck.config.budget_file import budget_in
from edgecheck.config.budget_model import BudgetKeys
from edgecheck.config.doubts import doubts, gaps, too_tight, too_tight_for_samples, too_tight_rules
from edgecheck.config.files import shown_path, yaml_files
from edgecheck.config.problems import Findings, Place, Problem, RefusedError, path_text
from edgecheck.config.profile_model import ProfileKeys
from edgecheck.config.profiles import Profiles
from edgecheck.config.project_model import read_project
from edgecheck.config.tree import MappingNode, Node, at
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.budget import Budget, Effort
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.core.limits import Allowance, Limit

_PROJECT = "edgecheck.yaml"


def lint(paths: Sequence[Path], profiles: Sequence[Path] = ()) -> Findings:
    """What is wrong or doubtful in files; whether each is a budget, a profile or a project shows in its name or keys.

    Args:
        paths: Files, and folders all of whose YAML files are read.
        profiles: Folders to search for profiles first.
    """
    problems: list[Problem] = []
    linter = _Linter(yaml_files(paths, problems), profiles)
    linter.problems += problems
    for path in linter.files:
        linter.check(path)
    return Findings(len(linter.files), tuple(sorted(set(linter.problems))), tuple(sorted(set(linter.warnings))))


class _Linter:
    """Reads all files first: a budget may name a profile that is linted with it."""

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
        self.siblings = {
            path.parent: Profiles([path.parent, *folders]) for path, tree in self.trees.items() if _is_profile(tree)
        }
        self.profiles = Profiles([*folders, *self.siblings])

    def check(self, path: Path) -> None:
        tree = self.trees.get(path)
        if tree is None:
            return
        if path.name == _PROJECT:
            self._check_project(path, tree)
        elif _is_profile(tree):
            self._check_profile(path)
        else:
            self._check_budget(path, tree)

    def _check_budget(self, path: Path, tree: Node) -> None:
        budget = budget_in(tree, path, self.profiles, self.problems, absent=self.warnings)
        if budget is not None:
            self.warnings += _doubts_about(budget, tree)
            for rule, message in too_tight_rules(budget):
                place, where = _place_of(rule, tree, ["regression"])
                self.warnings.append(Problem(place, where, message))

    def _check_profile(self, path: Path) -> None:
        if path.stem == THIS_MACHINE:
            message = f"is never read: {THIS_MACHINE} is generated; give the file another name"
            self.problems.append(Problem(Place(shown_path(path)), "", message))
            return
        found = self.siblings[path.parent].find(path.stem)
        self.problems += found.problems
        if found.profile is not None and found.tree is not None:
            self.warnings += _doubts_about_profile(found.profile, found.tree)

    def _check_project(self, path: Path, tree: Node) -> None:
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
                messages = (
                    *doubts(limit, profile),
                    *too_tight(limit, budget.effort),
                    *too_tight_for_samples(limit, budget),
                )
                yield from (Problem(place, path, message) for message in messages)


def _doubts_about_profile(profile: DeviceProfile, tree: Node) -> Iterator[Problem]:
    for limit in profile.limits:
        place, path = _place_of(limit, tree, ["limits"])
        messages = (*doubts(limit, profile), *too_tight(limit, Effort()))
        yield from (Problem(place, path, message) for message in messages)
    for message in gaps(profile.limits):
        yield Problem(at(tree, ["limits"]).mark.place, "limits", message)


def _place_of(limit: Limit | Allowance, tree: Node, *sections: list[str]) -> tuple[Place, str]:
    """The place and path of a limit, in the first of the sections that has it."""
    name = limit.metric.name
    written = (
        (section.entries[name].key.place, path_text([*parts, name]))
        for parts in sections
        if isinstance(section := at(tree, parts), MappingNode) and name in section.entries
    )
    return next(written)
