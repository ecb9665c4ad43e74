"""The devices that a command line means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks.plan import Addresses, Selection, addresses, plan, select
from edgecheck.checks.which_devices import WhichDevices
from edgecheck.config import Profiles, Project
from edgecheck.core.address import EMULATED
from edgecheck.core.device import CLASSES, THIS_MACHINE
from edgecheck.core.limits import Source
from edgecheck.errors import UsageError
from tests.builders import budget, limit, profile

EVERY = [name for name in Profiles().ids() if name != THIS_MACHINE]
PIS = [name for name in EVERY if name.startswith("raspberry-pi-")]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (WhichDevices(), []),
        (WhichDevices(("pixel-8",)), ["pixel-8"]),
        (WhichDevices(("all",)), EVERY),
        (WhichDevices(("raspberry-pi-*",)), PIS),
        (WhichDevices(("pixel-8", "raspberry-pi-*", "pixel-*")), ["pixel-8", *PIS, "pixel-6a", "pixel-7", "pixel-9"]),
        (WhichDevices(("pixel-[89]",)), ["pixel-8", "pixel-9"]),
        (WhichDevices(("*-8*", "all"), ("jetson",)), [name for name in EVERY if name.startswith("jetson")]),
        (WhichDevices(("this-machine", "pixel-9*")), ["this-machine", "pixel-9"]),
    ],
)
def test_the_devices_of_a_model(which: WhichDevices, expected: list[str]) -> None:
    assert list(which.known(Profiles())) == expected


def test_a_class_has_its_devices_and_all_classes_have_all() -> None:
    by_class = [WhichDevices((), (kind,)).known(Profiles()) for kind in CLASSES if kind != "computer"]
    assert sorted(name for names in by_class for name in names) == EVERY


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (WhichDevices(("banana-*",)), "No device matches 'banana-\\*'."),
        (WhichDevices((), ("computer",)), "No device is of class computer."),
        (WhichDevices(("pixel-*",), ("jetson",)), "No device matches 'pixel-\\*' of class jetson."),
        (WhichDevices(("pixel-*", "banana")), "There is no device 'banana'"),
    ],
)
def test_what_no_device_matches(which: WhichDevices, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        list(map(Profiles().get, which.known(Profiles())))
    assert "`edgecheck devices` lists them." in caught.value.hint


PI, PIXEL = profile("raspberry-pi-4-2gb"), profile("pixel-8", kind="phone")


def test_of_a_budget_only_its_own_devices() -> None:
    both, none = budget((PI, ()), (PIXEL, ())), budget((PIXEL, ()))

    def of(which: WhichDevices) -> list[list[str]]:
        return [[each.id for each, _ in one.devices] for one in which.of([both, none])]

    assert of(WhichDevices()) == of(WhichDevices(("all",))) == [["raspberry-pi-4-2gb", "pixel-8"], ["pixel-8"]]
    assert of(WhichDevices(("raspberry-*",))) == [["raspberry-pi-4-2gb"]]
    assert of(WhichDevices((), ("phone",))) == [["pixel-8"], ["pixel-8"]]
    with pytest.raises(UsageError, match="has no device 'raspberry-pi-4-2gb'"):
        WhichDevices(("raspberry-pi-4-2gb",)).of([both, none])
    with pytest.raises(UsageError, match="No device matches 'jetson-"):
        WhichDevices(("jetson-*",)).of([both, none])


MODEL = Path(__file__).parents[2] / "examples" / "models" / "mtcnn_onet.onnx"


def test_many_devices_are_judged_from_files_unless_a_target_is_named(example_models: Path) -> None:
    assert example_models.is_dir()
    selection = Selection(paths=(MODEL,), devices=("raspberry-pi-4-*", "pixel-8"), limits=("latency_p90=1s",))
    project = Project(root=Path(), budgets=())
    budgets = select(selection, project)
    checks = plan(budgets, addresses((), project, budgets, only_files=selection.which.are_open))
    assert [check.target for check in checks] == [None] * 4
    # The profile's limits that need a run were not asked for; the one on the command line was.
    names = [[one.metric.name for one in check.limits] for check in checks]
    assert names == [["footprint", "latency_p90"]] * 3 + [["download", "footprint", "latency_p90"]]
    assert checks[0].left_out == ("ram_peak", "latency_p50")
    emulated = plan(budgets, addresses(("qemu",), project, budgets, only_files=True))
    assert [str(check.target) for check in emulated] == ["qemu"] * 4
    assert all(check.left_out == () for check in emulated)


def test_a_device_that_cannot_be_emulated_has_no_run_and_keeps_its_limits() -> None:
    asked, limits = replace(budget((PI, ())), path=""), (limit("ram_peak", 1e6, source=Source("profile", "pi.yaml")),)
    where = Addresses({}, EMULATED, only_files=True)
    able = replace(PI, emulation_cpu="cortex-a72")
    assert (where.of(asked, able, limits), where.of(asked, PI, limits)) == (EMULATED, None)
    assert where.judged(asked, PI, limits) == limits
    assert Addresses({}, None, only_files=True).judged(asked, PI, limits) == ()


def test_a_budget_runs_where_it_always_does() -> None:
    limits = (limit("ram_peak", 1e6),)
    written = budget((PI, limits))
    where = Addresses({}, None, only_files=True)
    assert where.judged(written, PI, limits) == limits
    assert where.of(written, PI, limits) is not None
