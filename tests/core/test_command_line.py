"""The command that does a check again holds everything that was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import pytest

from edgecheck.config import limits_from_texts
from edgecheck.core.budget import Model, Variant
from edgecheck.core.command_line import check_command, profile_command
from edgecheck.core.device import THIS_MACHINE
from tests.builders import budget, profile


def test_a_budget_is_named_with_its_device_and_target() -> None:
    named = replace(budget(), path="budgets/a b.yaml")
    command = check_command(named, profile(), target="ssh://pi@board", variant=Variant("int8"))
    assert command == "edgecheck check 'budgets/a b.yaml' --device raspberry-pi-4-2gb --target ssh://pi@board"


def test_a_model_comes_with_its_options() -> None:
    given = replace(
        budget(),
        path="",
        model=Model(PurePath("net.pth"), "nets:build"),
        variants=(Variant("int8"),),
        inputs={"x": (1, 3)},
        samples=PurePath("s.npz"),
        threads=4,
        bundle="system",
    )
    here = replace(profile(), id=THIS_MACHINE)
    texts = ("size=1MB", "ram_peak=80MiB", "latency_p50=1.5ms", "agreement=0.99")
    limits = [limit for limit in limits_from_texts(texts).values() if limit]
    assert check_command(given, here, target="local", variant=Variant("int8"), limits=limits) == (
        "edgecheck check net.pth --variant int8 --limit size=1MB --limit ram_peak=80MiB --limit latency_p50=1.5ms "
        "--limit agreement=0.99 --input x=1,3 --samples s.npz --factory nets:build --bundle system --threads 4"
    )


@pytest.mark.parametrize("bound", ["1B", "1234567B", "3kB", "1GiB", "0B", "20MB"])
def test_no_digit_of_a_size_is_lost(bound: str) -> None:
    limits = [limit for limit in limits_from_texts([f"size={bound}"]).values() if limit]
    command = check_command(replace(budget(), path=""), profile(), limits=limits)
    (again,) = limits_from_texts([command.split("--limit ")[1].split(" ")[0]]).values()
    assert again == limits[0]


def test_a_choice_among_variants_stays_one() -> None:
    free = replace(budget(), path="", variants=())
    assert "--variant auto" in check_command(free, profile(), variant=Variant("float16"))


def test_a_profile_of_the_same_model_on_the_same_device() -> None:
    given = replace(budget(), path="b.yaml", model=Model(PurePath("a net.tflite")), variants=(Variant("as-is"),))
    command = profile_command(given, profile(), target="ssh://pi@board", variant=Variant("int8"))
    assert command.startswith("edgecheck profile 'a net.tflite' --device raspberry-pi-4-2gb --target ssh://pi@board")
    assert "--variant int8" in command
    assert "--target" not in profile_command(given, profile(), target="qemu", variant=Variant("as-is"))
