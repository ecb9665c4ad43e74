"""Reads budgets: checks their keys, files and devices, and combines the limits that hold on each device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edgecheck.config.budget_model import BudgetKeys, MeasureKeys, VariantKeys, most_time
from edgecheck.config.files import shown_path
from edgecheck.config.limit_model import allowances_in, limits_in
from edgecheck.config.problems import Place, Problem, RefusedError, path_text
from edgecheck.config.profiles import Profiles
from edgecheck.config.schema import validate
from edgecheck.config.tree import ListNode, MappingNode, Node, at, child, text_of, to_python
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.core.limits import Allowance, Limit, combined

#: Formats that a device runs as they are.
_READY = (".tflite", ".onnx")

#: The keys that name files.
_FILES = (("model",), ("model", "weights"), ("samples",))


def read_budget(path: Path, profiles: Profiles, problems: list[Problem]) -> Budget | None:
    """The budget; None after every problem, including those of its profiles, was added to `problems`."""
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
        tree: The content of the file.
        path: The file; paths in it are relative to its folder.
        profiles: Where to find its devices.
        problems: Gets the problems of the file and of the profiles that it names.
        absent: Gets the problems of files that it names and that do not exist.
    """
    named = _Named(tree, path.parent, profiles)
    wrong: list[Problem] = []
    keys = validate(BudgetKeys, tree, wrong)
    wrong += named.problems
    problems += wrong
    absent += named.absent
    return None if wrong or keys is None else _budget(keys, named, path)


def _budget(keys: BudgetKeys, named: _Named, path: Path) -> Budget:
    model = _model(keys, named)
    return Budget(
        name=path.stem,
        path=shown_path(path),
        model=model,
        variants=tuple(_variants(keys, model)),
        format=keys.format,
        samples=named.files.get("samples"),
        inputs={name: tuple(shape) for name, shape in keys.inputs.items()},
        threads=keys.threads,
        effort=_effort(keys.measure),
        devices=tuple(_devices(keys, named)),
        regression=allowances_in(keys.regression, at(named.tree, ["regression"])),
        bundle=keys.bundle,
    )


def _model(keys: BudgetKeys, named: _Named) -> Model:
    if isinstance(keys.model, str):
        return Model(named.files["model"], trusted=keys.trusted)
    return Model(named.files["model.weights"], keys.model.factory, keys.model.trusted or keys.trusted)


def _variants(keys: BudgetKeys, model: Model) -> Iterator[Variant]:
    if keys.variants is None:
        is_ready = not model.factory and model.path.suffix in _READY
        yield Variant("as-is" if is_ready else "float32")
    elif keys.variants != "auto":
        for entry in keys.variants:
            yield Variant(entry.variant, entry.prune) if isinstance(entry, VariantKeys) else Variant(entry)


def _effort(keys: MeasureKeys) -> Effort:
    """The effort; what the user left out is adapted to what they wrote."""
    usual = Effort()
    most = most_time({"min_time": keys.min_time}) if keys.max_time is None else keys.max_time
    return Effort(
        warmup_count=keys.warmup_count,
        warmup_time=keys.warmup_time,
        min_count=keys.min_count,
        min_time=keys.min_time,
        max_time=most,
        deadline=max(usual.deadline, 4 * most) if keys.deadline is None else keys.deadline,
    )


def _devices(keys: BudgetKeys, named: _Named) -> Iterator[tuple[DeviceProfile, tuple[Limit, ...]]]:
    shared = limits_in(keys.limits, at(named.tree, ["limits"]), "budget")
    for profile in named.devices:
        own = keys.devices[profile.id] if isinstance(keys.devices, dict) else None
        layers = (
            {limit.metric.name: limit for limit in profile.limits},
            shared,
            limits_in(own, at(named.tree, ["devices", profile.id]), "budget"),
        )
        yield profile, combined(layers)


def allowances_of(path: Path, problems: list[Problem]) -> tuple[Allowance, ...]:
    """The rules on growth in a budget; none after its problems were added to `problems`."""
    try:
        tree = read_file(path)
    except RefusedError as error:
        problems.append(error.problem)
        return ()
    keys = validate(BudgetKeys, tree, problems)
    return () if keys is None else allowances_in(keys.regression, at(tree, ["regression"]))


class _Named:
    """The files and devices that a budget names, and the problems of those that do not exist.

    They are checked even if the keys have problems.
    """

    def __init__(self, tree: Node, folder: Path, profiles: Profiles) -> None:
        self.tree = tree
        #: Paths from the working directory, by the key that names them.
        self.files: dict[str, Path] = {}
        #: Problems of files that do not exist.
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
    """The shortest spelling, unless a `..` after a symbolic link makes that another folder."""
    short = Path(os.path.normpath(written))
    return short if os.path.realpath(short) == os.path.realpath(written) else written


def _named_devices(tree: Node) -> dict[str, tuple[Place, str]]:
    """The place and path of each device's name; a name that is not text is left to the schema."""
    devices = _exactly(tree, "devices")
    if isinstance(devices, MappingNode):
        return {name: (entry.key.place, path_text(["devices", name])) for name, entry in devices.entries.items()}
    named: dict[str, tuple[Place, str]] = {}
    for position, item in enumerate(devices.items if isinstance(devices, ListNode) else ()):
        if name := text_of(item):
            named.setdefault(name, (item.mark.place, path_text(["devices", position])))
    return named


def _repeats(tree: Node, key: str) -> Iterator[Problem]:
    """Problems of a list or mapping that is empty or repeats an item."""
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
