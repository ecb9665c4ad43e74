"""Reads device profiles: a file combined with what it extends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.config.files import shown_path
from edgecheck.config.limit_model import limits_in
from edgecheck.config.problems import Problem, RefusedError, did_you_mean
from edgecheck.config.profile_model import (
    AcceleratorKeys,
    CapacityKeys,
    ConstantKeys,
    CostSetKeys,
    CostsKeys,
    ProfileKeys,
    ProjectionKeys,
)
from edgecheck.config.schema import problems_of_part, validate
from edgecheck.config.tree import MappingNode, Node, Scalar, at, found, overlay
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.device import (
    AppShare,
    Capacity,
    Constant,
    Costs,
    CostSet,
    Cpu,
    DeviceAccelerator,
    DeviceProfile,
    Identity,
    Projection,
    Scaling,
)
from edgecheck.core.limits import combined
from edgecheck.core.units import Unit, show, shown


@dataclass(frozen=True, slots=True)
class ProfileFound:
    """A profile, or the problems of its files."""

    profile: DeviceProfile | None
    problems: tuple[Problem, ...]
    #: The file laid over what it extends.
    tree: Node | None = None


class ProfileFiles:
    """Profiles by id; each file is read once, when it is first needed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._trees: dict[str, Node] = {}
        self._found: dict[str, ProfileFound] = {}

    def find(self, name: str) -> ProfileFound:
        """The profile called `name`, which must be one of the files."""
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def is_family(self, name: str) -> bool:
        """Whether the file itself says that it is a family; a file that cannot be read counts as a device."""
        try:
            return _is_family(self._tree(name))
        except RefusedError:
            return False

    def members(self, family: str) -> list[str]:
        """The devices that extend a family directly."""
        return [name for name in self._files if not self.is_family(name) and self._parent(name) == family]

    def _parent(self, name: str) -> object:
        try:
            parent = at(self._tree(name), ["extends"])
        except RefusedError:
            return None
        return parent.value if isinstance(parent, Scalar) else None

    def _read(self, name: str) -> ProfileFound:
        try:
            tree = self._merged(name, ())
        except RefusedError as error:
            return ProfileFound(None, (error.problem,))
        if _is_family(tree):
            return ProfileFound(None, tuple(problems_of_part(ProfileKeys, tree)))
        problems: list[Problem] = []
        keys = validate(ProfileKeys, tree, problems)
        if keys is None:
            return ProfileFound(None, tuple(problems))
        profile = _profile(keys, tree, name, shown_path(self._files[name]))
        problems = [
            *_beyond_total(profile.ram, tree, "ram"),
            *_beyond_total(profile.storage, tree, "storage"),
            *_listed_twice(profile.accelerators, tree),
            *_power_mode_elsewhere(profile, tree),
        ]
        return ProfileFound(None if problems else profile, tuple(problems), tree)

    def _tree(self, name: str) -> Node:
        """The content of the file alone."""
        if name not in self._trees:
            self._trees[name] = read_file(self._files[name])
        return self._trees[name]

    def _merged(self, name: str, below: tuple[str, ...]) -> Node:
        """The file laid over what it extends."""
        tree = self._tree(name)
        parent = at(tree, ["extends"])
        if parent is tree or not isinstance(parent, Scalar) or not isinstance(parent.value, str):
            return tree
        chain = (*below, name)
        if parent.value in chain:
            circle = " extends ".join((*chain, parent.value))
            raise RefusedError(Problem(parent.mark.place, "extends", f"extends itself: {circle}"))
        if parent.value not in self._files:
            advice = did_you_mean(parent.value, self._files)
            message = f"there is no profile {shown(parent.value)}{advice}"
            raise RefusedError(Problem(parent.mark.place, "extends", message))
        return overlay(_heritable(self._merged(parent.value, chain)), tree)


def _is_family(tree: Node) -> bool:
    family = at(tree, ["family"])
    return isinstance(family, Scalar) and family.value is True


def _heritable(tree: Node) -> MappingNode:
    """What others inherit: everything but `extends` and `family`."""
    if not isinstance(tree, MappingNode):
        raise RefusedError(Problem(tree.mark.place, "", f"found {found(tree)}; expected a mapping"))
    not_inherited = ("extends", "family")
    return replace(tree, entries={key: entry for key, entry in tree.entries.items() if key not in not_inherited})


def _beyond_total(capacity: Capacity, tree: Node, key: str) -> list[Problem]:
    if capacity.reserved <= capacity.total:
        return []
    place = at(tree, [key, "reserved"]).mark.place
    total = show(capacity.total, Unit.BYTES, binary=key == "ram")
    return [Problem(place, f"{key}.reserved", f"is more than the total of {total}")]


def _listed_twice(accelerators: Sequence[DeviceAccelerator], tree: Node) -> list[Problem]:
    names = [one.provider for one in accelerators]
    return [
        Problem(
            at(tree, ["accelerators", position, "provider"]).mark.place,
            f"accelerators[{position}].provider",
            f"{name} is listed already, as number {names.index(name) + 1}",
        )
        for position, name in enumerate(names)
        if name in names[:position]
    ]


def _power_mode_elsewhere(profile: DeviceProfile, tree: Node) -> list[Problem]:
    if not profile.power_mode or profile.kind == _WITH_POWER_MODES:
        return []
    message = f"only a device of the class {_WITH_POWER_MODES} has power modes, and this one is a {profile.kind}"
    return [Problem(at(tree, ["power_mode"]).mark.place, "power_mode", message)]


#: The class of devices with `nvpmodel`.
_WITH_POWER_MODES = "jetson"


def _profile(keys: ProfileKeys, tree: Node, name: str, path: str) -> DeviceProfile:
    runtimes = {"tflite": keys.runtimes.tflite, "onnx": keys.runtimes.onnx}
    return DeviceProfile(
        id=name,
        name=keys.name,
        kind=keys.kind,
        soc=keys.soc,
        identity=Identity(keys.identity.model, keys.identity.cpu_part, keys.identity.machine_id),
        cpu=Cpu(core=keys.cpu.core, count=keys.cpu.count, clock=keys.cpu.clock, features=tuple(keys.cpu.features)),
        ram=_capacity(keys.ram),
        storage=_capacity(keys.storage),
        app=None if keys.app is None else AppShare(round(keys.app.heap), round(keys.app.download), keys.app.low_ram),
        accelerators=tuple(map(_accelerator, keys.accelerators)),
        power_mode=keys.power_mode,
        limits=combined([limits_in(keys.limits, at(tree, ["limits"]), "profile")]),
        python=keys.python,
        runtimes={form: tuple(requirements) for form, requirements in runtimes.items() if requirements},
        emulation_cpu=keys.emulation.cpu if keys.emulation else "",
        projection=_projection(keys.projection),
        sources=tuple(keys.sources),
        path=path,
    )


def _accelerator(keys: AcceleratorKeys) -> DeviceAccelerator:
    return DeviceAccelerator(
        provider=keys.provider,
        library=keys.library,
        source=keys.source,
        package=keys.package,
        precision=tuple(keys.precision),
    )


def _capacity(keys: CapacityKeys) -> Capacity:
    return Capacity(round(keys.total), round(keys.reserved))


def _projection(keys: ProjectionKeys) -> Projection:
    return Projection(
        float=_constant(keys.float),
        int8=_constant(keys.int8),
        costs=_costs(keys.costs),
        thread_scaling={
            int(threads): Scaling(scaling.factor, scaling.spread) for threads, scaling in keys.thread_scaling.items()
        },
        derived_from=keys.derived_from,
    )


def _costs(keys: CostsKeys | None) -> Costs | None:
    if keys is None:
        return None
    return Costs(
        l2_size=round(keys.l2_size),
        runtime=keys.runtime,
        networks=keys.networks,
        source=keys.source,
        model=keys.model,
        modelled=_cost_set(keys.modelled),
        counted=_cost_set(keys.counted),
        spread=keys.spread,
    )


def _cost_set(keys: CostSetKeys | None) -> CostSet | None:
    if keys is None:
        return None
    return CostSet(
        work=keys.work,
        instruction=keys.instruction,
        l1=keys.l1,
        store=keys.store * 1e-9,
        l2=keys.l2 * 1e-9,
        within=keys.within,
    )


def _constant(keys: ConstantKeys | None) -> Constant | None:
    return None if keys is None else Constant(keys.ns_per_instruction, keys.spread, keys.runtime)
