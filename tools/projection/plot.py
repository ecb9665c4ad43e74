"""Draws projected against published latencies of all devices: docs/explanation/projection.svg.

python -m tools.projection.plot
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from tools.projection.fit import residuals
from tools.projection.tables import Device, devices, networks

PLACE = Path(__file__).parents[2] / "docs/explanation/projection.svg"

#: By core; distinguishable without red and green.
COLOURS = {
    "cortex-a53": "#0072b2",
    "cortex-a72": "#e69f00",
    "cortex-a76": "#009e73",
    "cortex-x3": "#cc79a7",
    "cortex-x4": "#7f3fbf",
}

#: Pixels; the axes go over powers of ten of milliseconds.
_SIZE, _MARGIN = 480, 56
_DECADES = range(4)
_RADIUS = 2.4
_STYLE = "text{font:12px sans-serif;fill:#555}line{stroke:#999;stroke-width:.5}"


def drawn() -> str:
    """The picture as text, the same each time."""
    side = _SIZE + 2 * _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" role="img" '
        f'aria-label="Projected against published latencies">'
    )
    parts = [
        head,
        f"<style>{_STYLE}</style>",
        f'<rect width="{side}" height="{side}" fill="#fff"/>',
        *_axes(),
        *_bands(),
        *(dot for device in devices() for dot in _dots(device)),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes() -> Iterator[str]:
    near, far = _MARGIN, _MARGIN + _SIZE
    for decade in (*_DECADES, _DECADES[-1] + 1):
        at = _across(10.0**decade)
        yield f'<line x1="{at:.1f}" y1="{near}" x2="{at:.1f}" y2="{far}"/>'
        yield f'<line x1="{near}" y1="{_up(10.0**decade):.1f}" x2="{far}" y2="{_up(10.0**decade):.1f}"/>'
        yield f'<text x="{at:.1f}" y="{far + 18}" text-anchor="middle">{10**decade:,}</text>'
        yield f'<text x="{near - 6}" y="{_up(10.0**decade) + 4:.1f}" text-anchor="end">{10**decade:,}</text>'
    middle = _MARGIN + _SIZE / 2
    yield f'<text x="{middle}" y="{far + 40}" text-anchor="middle">published, ms</text>'
    yield f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">projected, ms</text>'


def _bands() -> Iterator[str]:
    """Where both are equal, and where they are 20 % apart."""
    low, high = 1.0, 10.0 ** (_DECADES[-1] + 1)
    for factor, dash in ((1.0, ""), (1.2, ' stroke-dasharray="4 4"'), (1 / 1.2, ' stroke-dasharray="4 4"')):
        start, end = max(low, low / factor), min(high, high / factor)
        yield (
            f'<line x1="{_across(start):.1f}" y1="{_up(start * factor):.1f}" x2="{_across(end):.1f}" '
            f'y2="{_up(end * factor):.1f}" style="stroke:#333;stroke-width:1"{dash}/>'
        )


def _dots(device: Device) -> Iterator[str]:
    found = residuals(device, "modelled")
    for network in networks(device):
        published = network.seconds * 1e3
        x, y = _across(published), _up(published * math.exp(found[network.name]))
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}" fill="{COLOURS[device.core]}" fill-opacity=".6">'
            f"<title>{network.name}, {device.name}</title></circle>"
        )


def _legend() -> Iterator[str]:
    for number, (core, colour) in enumerate(COLOURS.items()):
        y = _MARGIN + 18 + 18 * number
        yield f'<circle cx="{_MARGIN + 14}" cy="{y - 4}" r="5" fill="{colour}"/>'
        yield f'<text x="{_MARGIN + 26}" y="{y}">{core.removeprefix("cortex-").upper()}</text>'


def _across(milliseconds: float) -> float:
    return _MARGIN + _SIZE * math.log10(milliseconds) / len(_DECADES)


def _up(milliseconds: float) -> float:
    return _MARGIN + _SIZE - _SIZE * math.log10(milliseconds) / len(_DECADES)


if __name__ == "__main__":
    PLACE.write_text(drawn(), encoding="utf-8")
