"""The order of a sweep's points, the values in file names, and its reports. Also covers `checks/sweep.py` in part.

Also covers `reports/sweep.py`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgecheck.checks.sweep import values_in
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.metrics import LATENCY_P50, RAM_PEAK, Provenance
from edgecheck.core.sweep import Point, Sweep, ordered
from edgecheck.errors import UsageError
from edgecheck.reports import Style
from edgecheck.reports.sweep import render_sweep


def point(value: str, size: int, **figures: object) -> Point:
    """A point with plain figures."""
    settings = {"params": size // 4, "zeros": 0.5, "download": size // 2, "model": f"net_{value}.onnx", **figures}
    return Point(value=value, size=size, **settings)  # type: ignore[arg-type] # figures are fields of Point


MEASURED = (
    Measurement(metric=RAM_PEAK, value=3 * 2**20, provenance=Provenance.MEASURED),
    Unmeasured(LATENCY_P50, "the device throttled twice"),
)
SWEEP = Sweep(
    factor="<trees>",
    points=ordered((point("100", 4000), point("9", 400, measured=MEASURED, agreement=0.25))),
    reference="teacher.onnx",
    target="local",
)


def test_numbers_come_in_their_order_and_words_in_the_order_given() -> None:
    values = [each.value for each in ordered(tuple(point(value, 4) for value in ("int8", "1e3", "as-is", "20", "3.5")))]
    assert values == ["3.5", "20", "1e3", "int8", "as-is"]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (("f_10.onnx", "f_100.onnx", "f_500.onnx"), ("10", "100", "500")),
        (("net0.5.onnx", "net0.75.onnx"), ("0.5", "0.75")),
        (("net-int8.tflite", "net-float16.tflite"), ("int8", "float16")),
        (("a12x.onnx", "a22x.onnx"), ("12", "22")),
        (("net.onnx",), ("net",)),
        (("runs/10/net.onnx", "runs/100/net.onnx"), ("10", "100")),
    ],
)
def test_the_value_is_what_differs_between_the_names(names: tuple[str, ...], values: tuple[str, ...]) -> None:
    assert values_in([Path("build") / name for name in names]) == values


def test_one_model_twice_has_no_values() -> None:
    with pytest.raises(UsageError, match="Two models have the value"):
        values_in([Path("a/net.onnx"), Path("a/net.onnx")])


def test_the_table_says_what_is_not_known_and_on_what_figures_rest() -> None:
    assert render_sweep("terminal", SWEEP, Style(width=100)).splitlines() == [
        "<trees>   size  params  zeros  download  agreement  ram_peak",
        "9          400     100  50.0%       200       0.25  3.00 MiB",
        "100      4,000   1,000  50.0%     2,000          ?         ?",
        "9: latency_p50 is unknown: the device throttled twice.",
        "agreement and top1 compare with teacher.onnx.",
        "ram_peak and latency_p50 were measured on local.",
    ]


def test_csv_has_base_units_and_empty_cells() -> None:
    assert render_sweep("csv", SWEEP).splitlines() == [
        "<trees>,model,size_bytes,params,zeros,download_bytes,agreement,ram_peak_bytes",
        "9,net_9.onnx,400,100,0.5,200,0.25,3145728",
        "100,net_100.onnx,4000,1000,0.5,2000,,",
    ]


def test_no_cell_of_the_csv_is_a_formula() -> None:
    sweep = Sweep(factor="=1+1", points=(point("-x", 4, model="@sum"),))
    assert render_sweep("csv", sweep).splitlines() == [
        "'=1+1,model,size_bytes,params,zeros,download_bytes",
        "'-x,'@sum,4,1,0.5,2",
    ]


def test_the_page_draws_each_figure_to_scale_with_words_for_it() -> None:
    page = render_sweep("html", SWEEP)
    assert "<trees>" not in page
    drawings = [f"<svg{part.partition('</svg>')[0]}</svg>" for part in page.split("<svg")[1:]]
    assert len(drawings) == 4  # size, params, zeros and download; the others have one figure
    drawing = ET.fromstring(drawings[0])
    assert drawing.get("role") == "img"
    assert drawing.get("aria-label") == (
        "size against <trees>: size (static) from 400 at <trees> 9 to 4,000 at <trees> 100."
    )
    line = drawing.find("polyline")
    assert line is not None
    (left, low), (right, high) = (map(float, each.split(",")) for each in str(line.get("points")).split())
    assert (left, right) == (76, 612)
    assert (210 - low) / (210 - high) == pytest.approx(0.1, abs=0.01)
