"""Draws what a command printed on a terminal as SVG: text stays text, in a light and a dark picture.

No font, script or image is loaded from elsewhere, so that the picture can stand in a README.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from html import escape

from rich.cells import cell_len
from rich.text import Text

#: Pixels of a character cell, of the margin, and of the bar above the text.
_WIDTH, _HEIGHT, _MARGIN, _BAR = 8.4, 19, 16, 30


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of a picture; those of the text have a contrast of 4.5 or more with the ground."""

    ground: str
    bar: str
    text: str
    dim: str
    by_name: dict[str, str]
    """By the name of the terminal's colour."""


#: What rich calls the colours that it reads from a terminal's codes.
_NAMES = {"color(1)": "red", "color(2)": "green", "color(3)": "yellow", "color(5)": "magenta"}

LIGHT = Colors(
    ground="#ffffff",
    bar="#eef1f4",
    text="#1b1f24",
    dim="#57606a",
    by_name={"green": "#146c2e", "yellow": "#7a5200", "magenta": "#65419b", "red": "#b3261e"},
)
DARK = Colors(
    ground="#14181d",
    bar="#232a32",
    text="#e6eaef",
    dim="#a3adb8",
    by_name={"green": "#7ee29a", "yellow": "#f2c14e", "magenta": "#d5b8f0", "red": "#ff9d94"},
)


def picture(output: str, command: str, colors: Colors) -> str:
    """The SVG.

    Args:
        output: What the command printed, with ANSI colours.
        command: The command, shown above its output.
        colors: `LIGHT` or `DARK`.
    """
    lines = [Text(f"$ {command}", style="bold"), *Text.from_ansi(output.rstrip("\n")).split("\n", allow_blank=True)]
    wide = max(cell_len(line.plain) for line in lines)
    width, height = round(wide * _WIDTH + 2 * _MARGIN), _BAR + len(lines) * _HEIGHT + _MARGIN
    rows = [
        f'<text x="{_MARGIN}" y="{_BAR + (number + 1) * _HEIGHT - 5}">{_spans(line, colors)}</text>'
        for number, line in enumerate(lines)
        if line.plain.strip()
    ]
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                f'height="{height}" role="img" aria-label="{escape(f"What {command} prints")}">'
            ),
            f'<rect width="{width}" height="{height}" rx="8" fill="{colors.ground}" stroke="{colors.bar}"/>',
            f'<path d="M0 8a8 8 0 0 1 8-8h{width - 16}a8 8 0 0 1 8 8v{_BAR - 12}h-{width}z" fill="{colors.bar}"/>',
            (
                '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" '
                f'font-size="14" fill="{colors.text}" xml:space="preserve" style="white-space:pre">'
            ),
            *rows,
            "</g>",
            "</svg>",
            "",
        )
    )


def _spans(line: Text, colors: Colors) -> str:
    """The runs of one style; each begins at its column, whatever font the reader has."""
    edges = sorted({0, len(line), *(edge for span in line.spans for edge in (span.start, span.end))})
    shown = []
    for start, end in itertools.pairwise(edges):
        words = line.plain[start:end]
        if words.strip():
            x = f"{_MARGIN + cell_len(line.plain[:start]) * _WIDTH:g}"
            wide = f"{cell_len(words) * _WIDTH:g}"
            looks = _looks(line, start, colors)
            shown.append(
                f'<tspan x="{x}" textLength="{wide}" lengthAdjust="spacingAndGlyphs"{looks}>{escape(words)}</tspan>'
            )
    return "".join(shown)


def _looks(line: Text, at: int, colors: Colors) -> str:
    """The attributes of the character at an offset."""
    names = [word for span in line.spans if span.start <= at < span.end for word in str(span.style).split()]
    names += str(line.style).split()
    names = [_NAMES.get(name, name) for name in names]
    fill = next((colors.by_name[name] for name in names if name in colors.by_name), "")
    fill = fill or (colors.dim if "dim" in names else "")
    return (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if "bold" in names else "")
