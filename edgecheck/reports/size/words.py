"""What every format of `edgecheck size` words alike: names, shares, changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from edgecheck.anatomy.advice import Advice, Saved
from edgecheck.anatomy.comparing import Change, Status
from edgecheck.anatomy.drivers import memory_of_trees
from edgecheck.anatomy.duplicates import Repeated
from edgecheck.anatomy.tables import By, Row, top
from edgecheck.anatomy.values import Anatomy, FileBytes, Kind
from edgecheck.core.units import Unit, show
from edgecheck.reports.size import Growth, SizeReport
from edgecheck.reports.wording import clean

#: Characters of a name that are shown, and of a sentence; hostile names have millions.
LONGEST, _LONGEST_SENTENCE = 120, 600

#: The heading of the table's rows.
HEADINGS = {
    By.LAYER: "layer",
    By.PREFIX: "prefix",
    By.OPERATOR: "operator",
    By.DTYPE: "type",
    By.ROLE: "role",
    By.TENSOR: "tensor",
    By.FILE: "file",
}


def shown(name: str, longest: int = LONGEST) -> str:
    """A name without unsafe characters, and without its middle if it is long."""
    if len(name) > longest:
        half = (longest - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    return clean(name)


def sentence(raw: str) -> str:
    """A sentence that may contain names from the model."""
    return shown(raw, _LONGEST_SENTENCE)


def model_name(anatomy: Anatomy) -> str:
    """The model's name, without its folder."""
    return shown(PurePath(anatomy.path).name or anatomy.path)


def size(value: int) -> str:
    """Bytes in the unit that reads best."""
    return show(value, Unit.BYTES)


def share(part: int, whole: int) -> str:
    """`75.7 %`; `< 0.1 %` for what is not nothing but rounds to it."""
    return percent(part / whole) if whole else ""


def percent(ratio: float) -> str:
    """A ratio as a percentage with one digit."""
    shown_ratio = 100 * ratio
    if 0 < shown_ratio < 0.05:  # noqa: PLR2004 - rounds to 0.0
        return "< 0.1 %"
    return f"{shown_ratio:.1f} %"


def shape(sizes: tuple[int, ...] | None) -> str:
    """`64 x 3 x 3`; `scalar` without an axis, empty without a shape."""
    if sizes is None:
        return ""
    return shown(" x ".join(map(str, sizes)), 60) or "scalar"


def title(report: SizeReport) -> str:
    """The model in a line."""
    anatomy, totals = report.anatomy, report.anatomy.totals
    parts = [model_name(anatomy), anatomy.format.value, size(anatomy.size)]
    if totals.params:
        parts.append(f"{totals.params:,} parameters")
    if trees := memory_of_trees(anatomy):
        parts.append(f"trees take about {size(trees)} once loaded (projected)")
    elif totals.memory != totals.tensors:
        parts.append(f"weights take {size(totals.memory)} once loaded")
    return " · ".join(parts)


def sum_of_kinds(report: SizeReport) -> str:
    """The bytes of each kind, as a sum: `tensors 15,360 + structure 227 + … = 15,593 bytes`."""
    totals = report.anatomy.totals
    parts = [("tensors", totals.tensors), ("structure", totals.structure), ("metadata", totals.metadata)]
    parts += [("padding", totals.padding), ("unclaimed", totals.unclaimed)]
    words = " + ".join(f"{name} {value:,}" for name, value in parts if value or name != "unclaimed")
    return f"{words} = {totals.size:,} bytes"


#: Tensors that take this many times their bytes in the file once loaded get a column for it.
_MUCH_MORE = 1.5


def grows_on_loading(report: SizeReport) -> bool:
    """Whether tensors take much more memory than bytes in the file."""
    return report.anatomy.totals.memory > _MUCH_MORE * report.anatomy.totals.tensors


def rows(report: SizeReport) -> tuple[Row, ...]:
    """The rows that are shown: the largest (in memory, if tensors grow on loading), and the sum of the rest."""
    ordered = report.rows
    if grows_on_loading(report):
        ordered = tuple(sorted(ordered, key=lambda row: -max(row.memory, row.stored)))
    return top(ordered, report.view.top) if report.view.top else ordered


def saving(advice: Advice, report: SizeReport) -> str:
    """`1.15 MB, 74 % of the file`, or `3.2 kB less to download`."""
    if advice.of is Saved.DOWNLOAD:
        return f"{size(advice.saves)} less to download"
    return f"{size(advice.saves)}, {100 * advice.saves / max(1, report.anatomy.size):.0f} % of the file"


def copies(repeated: Iterable[Repeated], most: int = 10) -> list[str]:
    """A sentence for each group of equal weights, the most wasteful first."""
    groups = list(repeated)
    lines = [_copy(group) for group in groups[:most]]
    return [*lines, f"And {len(groups) - most} more."] if len(groups) > most else lines


def _copy(group: Repeated) -> str:
    names = " = ".join(shown(name, 60) for name in group.names[:4])
    names += f" = … ({len(group.names)} in all)" if len(group.names) > 4 else ""  # noqa: PLR2004 - as many as are shown
    return f"{names}: " + ("tied, stored once" if group.tied else f"the same content again, {size(group.wasted)}")


def on_tpu(report: SizeReport) -> list[str]:
    """Where the operators of a model for the Edge TPU run, a sentence each; nothing about any other model."""
    found = report.edge_tpu
    if found is None:
        return []
    parts = f"{found.parts} part{'s' if found.parts != 1 else ''} of the graph"
    left, share = sum(found.on_cpu.values()), found.share
    taken = sum((found.on_tpu or {}).values())
    if found.on_tpu is not None and share is not None:
        where = f"{taken:,} of {taken + left:,} operators run on the Edge TPU ({percent(share)}), in {parts}"
        lines = [f"{where}, compared with {shown(PurePath(found.source).name)}."]
    elif share is not None:
        lines = [f"Every operator runs on the Edge TPU ({percent(share)}), in {parts}."]
    else:
        lines = [f"{parts[:1].upper()}{parts[1:]} run{'s' if found.parts == 1 else ''} on the Edge TPU."]
    if left:
        names = ", ".join(f"{name} {count}" if count > 1 else name for name, count in found.on_cpu.items())
        lines.append(f"{left:,} operator{'s stay' if left != 1 else ' stays'} on the CPU: {sentence(names)}.")
    if found.doubt:
        lines.append(f"{shown(PurePath(found.source).name)} is not the model it was compiled from: {found.doubt}.")
    elif share is None:
        lines.append(
            "How many operators were taken is not in the file: put the model it was compiled from next to it, or "
            "give --against MODEL.tflite."
        )
    return lines


def oddities(anatomy: Anatomy) -> list[str]:
    """What the reader of the model noted, and the gaps and overlaps of each file."""
    lines = [sentence(note) for note in anatomy.notes]
    for file in anatomy.files:
        lines += _extents(file)
    return lines


def _extents(file: FileBytes) -> list[str]:
    """Gaps and overlaps; a gap that the format is known to leave is padding, and not reported."""
    lines = []
    gaps = file.gaps if any(part.kind is Kind.UNCLAIMED for part in file.parts) else ()
    for what, extents in (("that nothing in the file points to", gaps), ("claimed twice", file.overlaps)):
        lines += [
            f"{shown(file.name)}: {extent.size:,} bytes {what}, from byte {extent.start:,}." for extent in extents[:3]
        ]
        if len(extents) > 3:  # noqa: PLR2004 - as many as are shown
            lines.append(f"{shown(file.name)}: {len(extents) - 3} more such places.")
    return lines


def signed(value: int) -> str:
    """`+1,024`, `-1,024`, `0`."""
    return f"{value:+,}" if value else "0"


def relative(old: int, new: int) -> str:
    """`+2.6 %`; `new` or `gone` if one of the two is 0."""
    if old == new:
        return "0 %"
    if not old or not new:
        return "gone" if old else "new"
    return f"{100 * (new - old) / old:+.1f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """A row of the changes: one layer, or all those that are not shown."""

    name: str
    status: str
    old: int
    new: int
    detail: str


def changes(growth: Growth, most: int) -> list[ChangeLine]:
    """The changes, the largest first; they sum to the difference of the sizes."""
    changed = [change for change in growth.comparison.changes if not _is_same(change)]
    kept: Sequence[Change] = changed if not most or len(changed) <= most + 1 else changed[:most]
    lines = [
        ChangeLine(
            name=f"{shown(change.name)} (was {shown(change.was)})" if change.was else shown(change.name),
            status=change.status.value,
            old=change.old,
            new=change.new,
            detail=sentence(change.detail),
        )
        for change in kept
    ]
    if rest := changed[len(kept) :]:
        old, new = (sum(values) for values in zip(*((each.old, each.new) for each in rest), strict=True))
        lines.append(ChangeLine(name=f"({len(rest)} others)", status="", old=old, new=new, detail=""))
    return lines


def _is_same(change: Change) -> bool:
    return change.status is Status.SAME


def unchanged(growth: Growth) -> str:
    """How many layers are the same, and how many of those were renamed; empty if none."""
    same = [change for change in growth.comparison.changes if _is_same(change)]
    if not same:
        return ""
    renamed = [change for change in same if change.was]
    more = f", {len(renamed)} of them under a new name" if renamed else ""
    return f"{len(same)} {'is' if len(same) == 1 else 'are'} the same{more}."


def verdict(growth: Growth, report: SizeReport) -> str:
    """The difference of the sizes in a sentence."""
    comparison = growth.comparison
    names = f"{model_name(report.anatomy)} against {model_name(growth.old)}"
    if not comparison.delta:
        return f"{names}: {comparison.new:,} bytes, as before."
    change = f"{signed(comparison.delta)} bytes, {relative(comparison.old, comparison.new)}"
    return f"{names}: {comparison.old:,} → {comparison.new:,} bytes ({change})."
