"""Finds the problems of budgets, profiles and projects, and doubts about valid limits, without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecheck.config.budget_file import budget_tree, budgets_in
from edgecheck.config.budget_model import BudgetKeys
from edgecheck.config.doubts import (
    doubts,
    gaps,
    too_tight,
    too_tight_for_samples,
    too_tight_rules,
    unknown_accelerator,
    without_accelerator,
)
from edgecheck.config.files import SUFFIXES, shown_path, yaml_files
from edgecheck.config.problems import Findings, Place, Problem, RefusedError, path_text
from edgecheck.config.profile_model import ProfileKeys
from edgecheck.config.profiles import Profiles
from edgecheck.config.project import is_project
from edgecheck.config.project_model import read_project
from edgecheck.config.tree import MappingNode, Node, Scalar, at, exactly, text_of
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.budget import Budget, Effort
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.core.limits import Allowance, Limit


def lint(paths: Sequence[Path], profiles: Sequence[Path] = (), project: Sequence[Path] = ()) -> Findings:
    """What is wrong or doubtful in files; whether each is a budget, a profile or a project shows in its name or keys.

    Args:
        paths: Files, and folders all of whose YAML files are read.
        profiles: Folders to search for profiles first.
        project: Those of the project that the command is called in, to search next.
    """
    problems: list[Problem] = []
    linter = _Linter(yaml_files(paths, problems), profiles, project)
    linter.problems += problems
    for path in linter.files:
        linter.check(path)
    return Findings(len(linter.files), tuple(sorted(set(linter.problems))), tuple(sorted(set(linter.warnings))))


class _Linter:
    """Reads all files first: a budget may name a profile that is linted with it."""

    def __init__(self, files: Sequence[Path], folders: Sequence[Path], project: Sequence[Path]) -> None:
        self.files = files
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.trees: dict[Path, Node] = {}
        for path in files:
            if is_project(path):  # it may be TOML, and is read by itself
                continue
            try:
                self.trees[path] = read_file(path)
            except RefusedError as error:
                self.problems.append(error.problem)
        self.siblings = {
            path.parent: Profiles([path.parent, *folders], project)
            for path, tree in self.trees.items()
            if _is_profile(tree)
        }
        self.profiles = Profiles([*folders, *self.siblings], project)

    def check(self, path: Path) -> None:
        tree = self.trees.get(path)
        if is_project(path):
            self._check_project(path)
        elif tree is not None and _is_profile(tree):
            self._check_profile(path)
        elif tree is not None:
            self._check_budget(path, tree)

    def _check_budget(self, path: Path, own: Node) -> None:
        try:
            tree = budget_tree(path, own)
        except RefusedError as error:
            self.problems.append(error.problem)
            return
        profiles = self.profiles.near(path.parent, self.problems)
        for budget in budgets_in(tree, path, profiles, self.problems, absent=self.warnings):
            self.warnings += _doubts_about(budget, tree.node)
            sections = [["devices", device, "regression"] for device in budget.regression.own]
            for rule, message in too_tight_rules(budget):
                place, where = _place_of(rule, tree.node, *sections, ["regression"])
                self.warnings.append(Problem(place, where, message))
        for parts in (["regression"], *(["devices", device, "regression"] for device in _devices_in(tree.node))):
            self.warnings += _too_generous(exactly(tree.node, *parts), parts)

    def _check_profile(self, path: Path) -> None:
        if path.stem == THIS_MACHINE:
            message = f"is never read: {THIS_MACHINE} is generated; give the file another name"
            self.problems.append(Problem(Place(shown_path(path)), "", message))
            return
        found = self.siblings[path.parent].find(path.stem)
        self.problems += found.problems
        if found.profile is not None and found.tree is not None:
            self.warnings += _doubts_about_profile(found.profile, found.tree)

    def _check_project(self, path: Path) -> None:
        found = read_project(path)
        self.problems += found.problems
        if found.keys is None or found.tree is None:
            return
        profiles = self.profiles.near(path.parent, self.problems)
        for device in found.keys.targets:
            if trouble := profiles.trouble(device):
                place = at(found.tree, ["targets", device]).mark.place
                self.problems.append(Problem(place, path_text(["targets", device]), trouble))


def _is_profile(tree: Node) -> bool:
    """Whether a file has more keys of a profile than of a budget; what a budget extends is a file."""
    keys = set(tree.entries) if isinstance(tree, MappingNode) else set()
    extends = {"extends"} & keys
    of_budget = extends if text_of(exactly(tree, "extends")).endswith(SUFFIXES) else set()
    profile, budget = (keys & section.keys.keys() - {"extends"} for section in (ProfileKeys, BudgetKeys))
    return len(profile | (extends - of_budget)) > len(budget | of_budget)


def _devices_in(tree: Node) -> list[str]:
    devices = exactly(tree, "devices")
    return list(devices.entries) if isinstance(devices, MappingNode) else []


def _too_generous(section: Node | None, parts: list[str]) -> Iterator[Problem]:
    """Doubts about growth of 1 and more that is written without a percent sign."""
    for name, entry in section.entries.items() if isinstance(section, MappingNode) else ():
        node = at(entry.node, ["growth"]) if isinstance(entry.node, MappingNode) else entry.node
        if not isinstance(node, Scalar) or isinstance(node.value, (bool, str)) or node.value is None:
            continue
        written = node.value
        if written >= 1:
            message = f"{node.text} is {written * 100:,.0f} %; write {node.text}% if that is meant"
            yield Problem(node.mark.place, path_text([*parts, name]), message)


def _doubts_about(budget: Budget, tree: Node) -> Iterator[Problem]:
    for profile, limits in budget.devices:
        for limit in limits:
            if limit.source.kind == "budget":
                place, path = _place_of(limit, tree, ["devices", profile.id], ["limits"])
                messages = (
                    *doubts(limit, profile),
                    *too_tight(limit, budget.effort),
                    *too_tight_for_samples(limit, budget),
                    *without_accelerator(limit, budget),
                )
                yield from (Problem(place, path, message) for message in messages)
    asked = at(tree, ["accelerator"]).mark.place
    yield from (Problem(asked, "accelerator", message) for message in unknown_accelerator(budget))


def _doubts_about_profile(profile: DeviceProfile, tree: Node) -> Iterator[Problem]:
    for limit in profile.limits:
        place, path = _place_of(limit, tree, ["limits"])
        messages = (*doubts(limit, profile), *too_tight(limit, Effort()))
        yield from (Problem(place, path, message) for message in messages)
    for message in gaps(profile.limits):
        yield Problem(at(tree, ["limits"]).mark.place, "limits", message)


def _place_of(limit: Limit | Allowance, tree: Node, *sections: list[str]) -> tuple[Place, str]:
    """The place and path of a limit, in the first of the sections that has it."""
    name, source = limit.metric.name, limit.source
    written = (
        (place, path_text([*parts, name]))
        for parts in sections
        if isinstance(section := at(tree, parts), MappingNode) and name in section.entries
        for place in [section.entries[name].key.place]
        if (place.file, place.line) == (source.file, source.line)
    )
    return next(written)
