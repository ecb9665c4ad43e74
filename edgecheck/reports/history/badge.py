"""A badge as SVG: the last figure of a metric, in the colour of its status."""

from __future__ import annotations

from html import escape

from edgecheck.core.creep import Trend
from edgecheck.reports.wording import clean

#: Contrast with white text is 4.5 or more (WCAG 2.2, 1.4.3).
_COLORS = {"pass": "#146c2e", "warn": "#7a5200", "unknown": "#65419b", "fail": "#b3261e", "": "#44505c"}
_LABEL = "#33383e"

#: Pixels of a character of the 11 px font, and next to a text.
_CHARACTER, _BESIDE = 6.6, 6


def badge(trend: Trend, label: str = "") -> str:
    """The badge of a series: the metric's name, or `label`, and the last figure."""
    last = trend.moments[-1]
    name, value = clean(label or trend.series.key.metric), clean(trend.series.show(last.value))
    words = f"{name}: {value}{f', {last.status}' if last.status else ''}"
    left, right = (round(len(text) * _CHARACTER + 2 * _BESIDE) for text in (name, value))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{escape(words)}">\n'
        f"<title>{escape(words)}</title>\n"
        f'<rect width="{left}" height="20" fill="{_LABEL}"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_COLORS.get(last.status, _COLORS[""])}"/>\n'
        '<g fill="#ffffff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 2 * _BESIDE}">{escape(name)}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 2 * _BESIDE}">{escape(value)}</text></g>\n'
        "</svg>\n"
    )
