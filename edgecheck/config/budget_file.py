"""Reads budgets: a file as a checked value, with the limits that hold on each of its devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.budget_checks import BudgetChecks
from edgecheck.config.budget_model import BudgetKeys, MeasureKeys, VariantKeys
from edgecheck.config.limit_model import limits_in
from edgecheck.config.problems import Problem, RefusedError
from edgecheck.config.regression_model import allowances_in
from edgecheck.config.text_file import shown_path
from edgecheck.config.translation import validate
from edgecheck.config.tree import at
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.limits import combined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.config.profiles import Profiles
    from edgecheck.config.tree import Node
    from edgecheck.core.allowance import Allowance
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.limits import Limit

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
