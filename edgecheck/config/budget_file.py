"""Reads budgets: a file as a checked value, with the limits that hold on each of its devices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.budget_model import BudgetKeys, MeasureKeys, VariantKeys
from edgecheck.config.files import shown_path
from edgecheck.config.limit_model import limits_in
from edgecheck.config.problems import Place, Problem, RefusedError, path_text
from edgecheck.config.regression_model import allowances_in
from edgecheck.config.schema import validate
from edgecheck.config.tree import ListNode, MappingNode, at, child, text_of, to_python
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.limits import combined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.config.profiles import Profiles
    from edgecheck.config.tree import Node
    from edgecheck.core.comparability import Allowance
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.limits import Limit


# RF-SECTION budget_checks: Checks a budget against the world: the files and devices that it names. They do not wait
# for its schema to hold.

_FILES = (("model",), ("model", "weights"), ("samples",))


class BudgetChecks:
    """What a budget names, as far as it is there, and the problems where it is not."""

    def __init__(self, tree: Node, folder: Path, profiles: Profiles) -> None:
        self.tree = tree
        self.files: dict[str, Path] = {}
        """Paths from the working directory, by the key that names them."""
        self.absent: list[Problem] = []
        self.problems = [*_repeats(tree, "variants"), *_repeats(tree, "devices"), *_trusted_twice(tree)]
        for parts in _FILES:
            self._find(parts, folder)
        self.devices = tuple(self._devices(profiles))

    def _find(self, parts: tuple[str, ...], folder: Path) -> None:
        node = _exactly(self.tree, *parts)
        if node is None or not (text := text_of(node)):
            return
        path = _from_here(folder / text)
        self.files[path_text(parts)] = path
        if not path.exists():
            message = f"{shown_path(path)} does not exist (paths are relative to the budget's folder)"
            self.absent.append(Problem(node.mark.place, path_text(parts), message))

    def _devices(self, profiles: Profiles) -> Iterator[DeviceProfile]:
        for name, (place, path) in _named_devices(self.tree).items():
            if trouble := profiles.trouble(name):
                self.problems.append(Problem(place, path, trouble))
            elif name == THIS_MACHINE:
                yield profiles.get(name)
            else:
                found = profiles.find(name)
                self.problems += found.problems
                if found.profile is not None:
                    yield found.profile


def _exactly(tree: Node, *parts: str) -> Node | None:
    node: Node | None = tree
    for part in parts:
        node = None if node is None else child(node, part)
    return node


def _from_here(written: Path) -> Path:
    """The shortest spelling, but not where `..` comes after a symbolic link and means another folder."""
    short = Path(os.path.normpath(written))
    return short if os.path.realpath(short) == os.path.realpath(written) else written


def _named_devices(tree: Node) -> dict[str, tuple[Place, str]]:
    """Each device's name with its place and path; a name that is no text is left to the schema."""
    devices = _exactly(tree, "devices")
    if isinstance(devices, MappingNode):
        return {name: (entry.key.place, path_text(["devices", name])) for name, entry in devices.entries.items()}
    named: dict[str, tuple[Place, str]] = {}
    for position, item in enumerate(devices.items if isinstance(devices, ListNode) else ()):
        if name := text_of(item):
            named.setdefault(name, (item.mark.place, path_text(["devices", position])))
    return named


def _repeats(tree: Node, key: str) -> Iterator[Problem]:
    """Problems of a list or mapping that is empty or has an item twice."""
    node = _exactly(tree, key)
    if isinstance(node, (ListNode, MappingNode)) and not to_python(node):
        yield Problem(node.mark.place, key, "is empty; expected one or more")
    seen: list[object] = []
    for position, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        value = to_python(item)
        if value in seen:
            yield Problem(item.mark.place, path_text([key, position]), "is in the list twice")
        seen.append(value)


def _trusted_twice(tree: Node) -> Iterator[Problem]:
    inner, outer = _exactly(tree, "model", "trusted"), _exactly(tree, "trusted")
    if inner is not None and outer is not None:
        yield Problem(outer.mark.place, "trusted", "is given twice; give it here or under model")


_READY = (".tflite", ".onnx")


def read_budget(path: Path, profiles: Profiles, problems: list[Problem]) -> Budget | None:
    """The budget; None after every problem, also of the profiles it names, was added to `problems`."""
    try:
        tree = read_file(path)
    except RefusedError as error:
        problems.append(error.problem)
        return None
    absent: list[Problem] = []
    budget = budget_in(tree, path, profiles, problems, absent)
    problems += absent
    return budget


def budget_in(
    tree: Node, path: Path, profiles: Profiles, problems: list[Problem], absent: list[Problem]
) -> Budget | None:
    """The budget in a tree; None after problems.

    Args:
        tree: What the file holds.
        path: The file: others are relative to its folder.
        profiles: Where its devices are found.
        problems: Takes what is wrong with the file, and with the profiles that it names.
        absent: Takes the files that it names and that are not there.
    """
    checks = BudgetChecks(tree, path.parent, profiles)
    wrong: list[Problem] = []
    keys = validate(BudgetKeys, tree, wrong)
    wrong += checks.problems
    problems += wrong
    absent += checks.absent
    return None if wrong or keys is None else _budget(keys, checks, path)


def _budget(keys: BudgetKeys, checks: BudgetChecks, path: Path) -> Budget:
    model = _model(keys, checks)
    return Budget(
        name=path.stem,
        path=shown_path(path),
        model=model,
        variants=tuple(_variants(keys, model)),
        format=keys.format,
        samples=checks.files.get("samples"),
        inputs={name: tuple(shape) for name, shape in keys.inputs.items()},
        threads=keys.threads,
        effort=_effort(keys.measure),
        devices=tuple(_devices(keys, checks)),
        regression=allowances_in(keys.regression, at(checks.tree, ["regression"])),
        bundle=keys.bundle,
    )


def _model(keys: BudgetKeys, checks: BudgetChecks) -> Model:
    if isinstance(keys.model, str):
        return Model(checks.files["model"], trusted=keys.trusted)
    return Model(checks.files["model.weights"], keys.model.factory, keys.model.trusted or keys.trusted)


def _variants(keys: BudgetKeys, model: Model) -> Iterator[Variant]:
    if keys.variants is None:
        is_ready = not model.factory and model.path.suffix in _READY
        yield Variant("as-is" if is_ready else "float32")
    elif keys.variants != "auto":
        for entry in keys.variants:
            yield Variant(entry.variant, entry.prune) if isinstance(entry, VariantKeys) else Variant(entry)


def _effort(keys: MeasureKeys) -> Effort:
    """The effort; what the user left out fits itself to what they wrote."""
    usual = Effort()
    return Effort(
        warmup_count=keys.warmup_count,
        warmup_time=keys.warmup_time,
        min_count=keys.min_count,
        min_time=min(usual.min_time, keys.max_time) if keys.min_time is None else keys.min_time,
        max_time=keys.max_time,
        deadline=max(usual.deadline, 4 * keys.max_time) if keys.deadline is None else keys.deadline,
    )


def _devices(keys: BudgetKeys, checks: BudgetChecks) -> Iterator[tuple[DeviceProfile, tuple[Limit, ...]]]:
    shared = limits_in(keys.limits, at(checks.tree, ["limits"]), "budget")
    for profile in checks.devices:
        own = keys.devices[profile.id] if isinstance(keys.devices, dict) else None
        layers = (
            {limit.metric.name: limit for limit in profile.limits},
            shared,
            limits_in(own, at(checks.tree, ["devices", profile.id]), "budget"),
        )
        yield profile, combined(layers)


def allowances_of(path: Path, problems: list[Problem]) -> tuple[Allowance, ...]:
    """What a budget says of growth from a baseline; nothing after what is wrong with it was added to `problems`."""
    try:
        tree = read_file(path)
    except RefusedError as error:
        problems.append(error.problem)
        return ()
    keys = validate(BudgetKeys, tree, problems)
    return () if keys is None else allowances_in(keys.regression, at(tree, ["regression"]))
