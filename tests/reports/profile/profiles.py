"""Reports of profiles by hand."""

from __future__ import annotations

from typing import Any

from edgecheck.core.operator_changes import compare
from edgecheck.core.operator_groups import By
from edgecheck.core.operators import OperatorProfile
from edgecheck.reports.profile import ProfileReport
from tests.core.operator_profiles import operator, profile

NEW = profile(
    operator("stem", 4.0, layer="backbone/stem", macs=4_000_000, bytes=1000, parts=("stem", "relu"), shape="1 x 8"),
    operator("choice", 0.5, type="If"),
    operator("inner", 2.0, type="MatMul", inside=1, macs=2_000_000, layer="head"),
    operator("slow", 1.5, layer="head", macs=100_000, calls=2.0),
    operator("cast", 0.0005, type="Cast"),
    plain=9.0e-3,
    notes=("The device throttled.",),
)
OLD = profile(
    operator("stem", 2.0, macs=2_000_000), operator("gone", 1.0, type="Relu"), operator("cast", 0.0005, type="Cast")
)


def report(found: OperatorProfile = NEW, **fields: Any) -> ProfileReport:
    given = {
        "model": "net.onnx",
        "variant": "as-is",
        "device": "Raspberry Pi 4",
        "target": "ssh://pi@rack-1",
        "threads": 1,
        "by": By.NODE,
        "top": 20,
        "version": "0.1",
        **fields,
    }
    return ProfileReport(profile=found, **given)


def grown() -> ProfileReport:
    return report(old="old.onnx", changes=compare(NEW, OLD))
