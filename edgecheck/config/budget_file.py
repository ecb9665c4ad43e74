"""Reads budgets: checks their keys, files and devices, and combines the limits that hold on each device.

A file's keys override those of the file that it extends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.config.budget_model import AcceleratorChoiceKeys, BudgetKeys, MeasureKeys, VariantKeys, most_time
from edgecheck.config.files import matching_paths, shortest, shown_path
from edgecheck.config.limit_model import allowances_in, limits_in
from edgecheck.config.problems import Place, Problem, RefusedError, path_text
from edgecheck.config.profiles import Profiles
from edgecheck.config.schema import Section, problems_of_part, validate
from edgecheck.config.tree import ListNode, MappingNode, Node, Scalar, at, child, exactly, overlay, text_of, to_python
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.accelerator import Accelerator, accelerator
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import THIS_MACHINE, DeviceProfile
from edgecheck.core.limits import Allowance, Growths, Limit, combined
from edgecheck.core.metrics import METRICS

#: Formats that a device runs as they are.
_READY = (".tflite", ".onnx")


def read_budgets(path: Path, profiles: Profiles, problems: list[Problem]) -> tuple[Budget, ...]:
    """The budgets in a file, one for each model; none after every problem was added to `problems`.

    The problems of the profiles that it names are among them. A shared file has no budget, but may have problems.
    """
    try:
        tree = budget_tree(path)
    except RefusedError as error:
        problems.append(error.problem)
        return ()
    absent: list[Problem] = []
    budgets = budgets_in(tree, path, profiles, problems, absent)
    problems += absent
    return budgets


def budgets_in(
    tree: BudgetTree, path: Path, profiles: Profiles, problems: list[Problem], absent: list[Problem]
) -> tuple[Budget, ...]:
    """The budgets in a tree, one for each model; none after problems, and in a shared file.

    Args:
        tree: The content of the file and of those that it extends.
        path: The file.
        profiles: Where to find its devices.
        problems: Gets the problems of the files and of the profiles that they name.
        absent: Gets the problems of files that they name and that do not exist.
    """
    named = _Named(tree, profiles)
    absent += named.absent
    if tree.is_shared:
        problems += [*problems_of_part(BudgetKeys, tree.node), *named.problems]
        return ()
    wrong: list[Problem] = []
    keys = validate(BudgetKeys, tree.node, wrong)
    wrong += named.problems
    problems += wrong
    return () if wrong or keys is None else tuple(_budget(keys, named, path, model) for model in _models(keys, named))


def _budget(keys: BudgetKeys, named: _Named, path: Path, model: Model) -> Budget:
    return Budget(
        name=path.stem,
        path=shown_path(path),
        model=model,
        variants=tuple(_variants(keys, model)),
        format=keys.format,
        samples=named.samples,
        inputs={name: tuple(shape) for name, shape in keys.inputs.items()},
        threads=keys.threads,
        effort=_effort(keys.measure),
        devices=tuple(_devices(keys, named)),
        regression=_growths(keys, named.tree.node),
        bundle=keys.bundle,
        cluster=keys.cluster,
        accelerator=_accelerator(keys.accelerator),
    )


def _accelerator(given: str | AcceleratorChoiceKeys) -> Accelerator | None:
    return accelerator(given) if isinstance(given, str) else accelerator(given.provider, given.precision)


def _models(keys: BudgetKeys, named: _Named) -> list[Model]:
    if isinstance(keys.model, (str, list)):
        return [Model(path, trusted=keys.trusted, signature=keys.signature) for path in named.models]
    return [Model(named.models[0], keys.model.factory, keys.model.trusted or keys.trusted, keys.signature)]


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
        deadline=max(usual.deadline, 4 * most) + (keys.sustained or 0.0) if keys.deadline is None else keys.deadline,
        sustained=keys.sustained or 0.0,
        cooling_time=keys.cooling_time,
    )


def _devices(keys: BudgetKeys, named: _Named) -> Iterator[tuple[DeviceProfile, tuple[Limit, ...]]]:
    tree = named.tree.node
    shared = limits_in(keys.limits, at(tree, ["limits"]), "budget")
    for profile in named.devices:
        own = keys.devices[profile.id] if isinstance(keys.devices, dict) else None
        layers = (
            {limit.metric.name: limit for limit in profile.limits},
            shared,
            limits_in(own, at(tree, ["devices", profile.id]), "budget"),
        )
        yield profile, combined(layers)


def growths_of(path: Path, problems: list[Problem]) -> Growths:
    """The rules on growth in a budget; none after its problems were added to `problems`."""
    try:
        tree = budget_tree(path).node
    except RefusedError as error:
        problems.append(error.problem)
        return Growths()
    keys = validate(BudgetKeys, tree, problems)
    return Growths() if keys is None else _growths(keys, tree)


def _growths(keys: BudgetKeys, tree: Node) -> Growths:
    shared = allowances_in(keys.regression, at(tree, ["regression"]))
    own: dict[str, tuple[Allowance, ...]] = {}
    for device, section in keys.devices.items() if isinstance(keys.devices, dict) else ():
        if section is not None and "regression" in section.given:
            node = at(tree, ["devices", device, "regression"])
            rules: Section | None = vars(section)["regression"]
            own[device] = _in_force(shared | allowances_in(rules, node, is_shared=False))
    return Growths(_in_force(shared), own)


def _in_force(rules: Mapping[str, Allowance | None]) -> tuple[Allowance, ...]:
    return tuple(rule for name in METRICS if (rule := rules.get(name)) is not None)


class _Named:
    """The files and devices that a budget names, and the problems of those that do not exist.

    They are checked even if the keys have problems.
    """

    def __init__(self, tree: BudgetTree, profiles: Profiles) -> None:
        self.tree = tree
        #: Paths from the working directory. With a pattern that nothing matches, the pattern: that is in `absent`.
        self.models: list[Path] = []
        self.samples: Path | None = None
        #: Problems of files that do not exist.
        self.absent: list[Problem] = []
        node = tree.node
        self.problems = [*_repeats(node, "variants"), *_repeats(node, "devices"), *_trusted_twice(node)]
        self._find_models()
        samples = child(node, "samples")
        if samples is not None:
            self.samples = next(iter(self._found(samples, ["samples"])), None)
        self.devices = tuple(self._devices(profiles))

    def _find_models(self) -> None:
        model = child(self.tree.node, "model")
        if isinstance(model, MappingNode):
            weights = child(model, "weights")
            self.models = self._found(weights, ["model", "weights"]) if weights is not None else []
            return
        found: list[Path] = []
        if isinstance(model, ListNode):
            self.problems += _repeats(self.tree.node, "model")
            for position, item in enumerate(model.items):
                found += self._found(item, ["model", position], is_pattern=True)
        elif model is not None:
            found = self._found(model, ["model"], is_pattern=True)
        self.models = list({os.path.realpath(path): path for path in found}.values())
        trusted = child(self.tree.node, "trusted")
        if trusted is not None and len(self.models) > 1:
            message = f"is for one file, and the budget has {len(self.models)} models"
            self.problems.append(Problem(trusted.mark.place, "trusted", message))

    def _found(self, node: Node, parts: Sequence[str | int], *, is_pattern: bool = False) -> list[Path]:
        text = text_of(node)
        if not text:
            return []
        folder = self.tree.folder_of(node)
        paths = matching_paths(text, folder) if is_pattern else [folder / text]
        found = [shortest(path) for path in paths or [folder / text]]
        if not os.path.exists(found[0]):  # noqa: PTH110 - pathlib's raises for a name that is too long
            what = "does not exist" if paths else "matches no file"
            message = f"{shown_path(found[0])} {what} (paths are relative to the budget's folder)"
            self.absent.append(Problem(node.mark.place, path_text(parts), message))
        return found

    def _devices(self, profiles: Profiles) -> Iterator[DeviceProfile]:
        for name, (place, path) in _named_devices(self.tree.node).items():
            if trouble := profiles.trouble(name):
                self.problems.append(Problem(place, path, trouble))
            elif name == THIS_MACHINE:
                yield profiles.get(name)
            else:
                found = profiles.find(name)
                self.problems += found.problems
                if found.profile is not None:
                    yield found.profile


def _named_devices(tree: Node) -> dict[str, tuple[Place, str]]:
    """The place and path of each device's name; a name that is not text is left to the schema."""
    devices = exactly(tree, "devices")
    if isinstance(devices, MappingNode):
        return {name: (entry.key.place, path_text(["devices", name])) for name, entry in devices.entries.items()}
    named: dict[str, tuple[Place, str]] = {}
    for position, item in enumerate(devices.items if isinstance(devices, ListNode) else ()):
        if name := text_of(item):
            named.setdefault(name, (item.mark.place, path_text(["devices", position])))
    return named


def _repeats(tree: Node, key: str) -> Iterator[Problem]:
    """Problems of a list or mapping that is empty or repeats an item."""
    node = exactly(tree, key)
    if isinstance(node, (ListNode, MappingNode)) and not to_python(node):
        yield Problem(node.mark.place, key, "is empty; expected one or more")
    seen: list[object] = []
    for position, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        value = to_python(item)
        if value in seen:
            yield Problem(item.mark.place, path_text([key, position]), "is in the list twice")
        seen.append(value)


def _trusted_twice(tree: Node) -> Iterator[Problem]:
    inner, outer = exactly(tree, "model", "trusted"), exactly(tree, "trusted")
    if inner is not None and outer is not None:
        yield Problem(outer.mark.place, "trusted", "is given twice; give it here or under model")


#: About one file alone.
_NOT_INHERITED = ("extends", "shared")


@dataclass(frozen=True, slots=True)
class BudgetTree:
    """What holds in a budget; each value has its place in the file that it comes from."""

    node: Node
    #: The folder that the paths in a file are relative to, by the file as its places name it.
    folders: Mapping[str, Path]

    @property
    def is_shared(self) -> bool:
        """Whether the file is only for others to extend."""
        shared = child(self.node, "shared")
        return isinstance(shared, Scalar) and shared.value is True

    def folder_of(self, node: Node) -> Path:
        """The folder that a path written in `node` is relative to."""
        return self.folders[node.mark.place.file]


def budget_tree(path: Path, node: Node | None = None) -> BudgetTree:
    """The budget in `path` with everything that it inherits.

    Args:
        path: The file.
        node: Its own content, if it has been read.

    Raises:
        RefusedError: one of the files cannot be read, or a file extends itself.
    """
    return _laid_over(path, node or read_file(path), ())


def _laid_over(path: Path, node: Node, below: tuple[Path, ...]) -> BudgetTree:
    own = BudgetTree(node, {shown_path(path): path.parent})
    parent = child(node, "extends")
    written = text_of(parent)
    if parent is None or not written:
        return own
    chain = (*below, path)
    above = Path(os.path.normpath(path.parent / written))
    if any(os.path.realpath(above) == os.path.realpath(one) for one in chain):
        circle = " extends ".join(map(shown_path, (*chain, above)))
        raise RefusedError(Problem(parent.mark.place, "extends", f"extends itself: {circle}"))
    if not above.is_file():
        message = f"{shown_path(above)} does not exist (paths are relative to the budget's folder)"
        raise RefusedError(Problem(parent.mark.place, "extends", message))
    inherited = _laid_over(above, read_file(above), chain)
    return BudgetTree(overlay(_heritable(inherited.node), node), {**inherited.folders, **own.folders})


def _heritable(node: Node) -> Node:
    if not isinstance(node, MappingNode):
        return node
    return replace(node, entries={key: entry for key, entry in node.entries.items() if key not in _NOT_INHERITED})
