"""Checks in a line each: what was checked where, and what decides it; and which of many devices a model fits."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from edgecheck.core.report import CheckResult, Report
from edgecheck.core.text import middle_cut
from edgecheck.core.verdict import Status
from edgecheck.reports import Style, wording
from edgecheck.reports.layout import Column, Grid
from edgecheck.reports.matrix import SIGNS, best_first, deciding

_STYLES = {Status.PASS: "green", Status.WARN: "yellow", Status.UNKNOWN: "magenta", Status.FAIL: "bold red"}

#: Doubts about the report, not about one check: they stand next to the answer.
OF_THE_REPORT = ("gone", "files-only", "creeping")

#: Characters to which a model's name is cut where the line does not fit otherwise.
_NAME = 24


def brief(result: CheckResult, width: int) -> Text:
    """The line, in the longest form that fits into `width`, else the shortest; with the codes of its doubts."""
    sign = f"{SIGNS[result.status]} {result.status.value:<4}  "
    forms = [*_forms(result)]
    names = list(dict.fromkeys(wording.clean(one.code) for one in result.caveats if one.code not in OF_THE_REPORT))
    doubts = [", ".join(names), f"{len(names)} caveats"] if len(names) > 1 else names or [""]
    fitting = ((form, codes) for codes in doubts for form in forms if _length(sign, form, codes) <= width)
    (name, words), codes = next(fitting, (forms[-1], doubts[-1]))
    return Text.assemble(
        (sign, _STYLES[result.status]), name, (f": {words}" if words else ""), (f"  {codes}" if codes else "", "yellow")
    )


def _length(sign: str, form: tuple[str, str], codes: str) -> int:
    name, words = form
    return cell_len(f"{sign}{name}{f': {words}' if words else ''}{f'  {codes}' if codes else ''}")


def _forms(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Name and words of the check, from the longest form to the shortest."""
    full, title = words_of(result), wording.title(result)
    yield title, full[0]
    for words in full[1:]:
        yield title, words
    model = middle_cut(result.budget.model.path.name, _NAME)
    where = "" if result.target else ", files only"
    short = wording.clean(f"{model} · {result.variant} · {result.profile.id}{where}")
    for words in full:
        yield short, words


def words_of(result: CheckResult) -> list[str]:
    """What decides the check, from the longest form to the shortest."""
    verdict = deciding(result)
    if verdict is None:
        return [wording.clean(result.problem) or wording.NOTHING_JUDGED, "nothing judged"]
    metric, origin = wording.clean(verdict.metric.name), wording.provenance(verdict)
    room, (found, bound) = wording.margin(verdict), wording.found_and_bound(verdict)
    if not found:
        return [f"{metric}: {wording.reason(verdict) or 'no figure'}", f"{metric}: no figure"]
    figures = ", ".join(part for part in (f"{metric} {found} {bound}".strip(), room, origin) if part)
    return [figures, ", ".join(part for part in (f"{metric} {room}".strip(), origin) if part)]


_FITS = (Status.PASS, Status.WARN)


def ranking(report: Report, style: Style, looks: dict[str, str]) -> RenderableType:
    """The lines, as columns where they fit.

    Args:
        report: Checks of one model on several devices.
        style: Its width; if it is quiet, lines only for devices that the model does not fit.
        looks: The style of each status, by its name.
    """
    ranked = best_first(report.results)
    if style.quiet:
        ranked = [result for result in ranked if result.status is not Status.PASS]
    with_variant = len({str(result.variant) for result in report.results}) > 1
    for is_long in (True, False):
        rows = [_row(result, looks, with_variant=with_variant, is_long=is_long) for result in ranked]
        grid = Grid(tuple(_LEFT if at != _MARGIN else _RIGHT for at in range(_LAST + with_variant)), rows)
        if grid.lines(style.width) is not None:
            return grid
    return Group(*(brief(result, style.width) for result in ranked))


_LEFT, _RIGHT = Column(wraps=False), Column("right", wraps=False)

#: Which column is the margin, and how many there are without the variant.
_MARGIN, _LAST = 2, 4


def _row(result: CheckResult, looks: dict[str, str], *, with_variant: bool, is_long: bool) -> tuple[Text, ...]:
    decides = deciding(result)
    room = wording.margin(decides) if decides is not None and result.status is not Status.UNKNOWN else ""
    words = words_of(result)[0 if is_long else -1]
    if room and decides is not None:  # the margin has its own column
        found, bound = wording.found_and_bound(decides)
        figures = f" {found} {bound}" if is_long else ""
        words = f"{wording.clean(decides.metric.name)}{figures}, {wording.provenance(decides)}"
    return (
        Text(f"{SIGNS[result.status]} {result.status.value}", style=looks[result.status.value]),
        Text(wording.clean(result.profile.id)),
        Text(room),
        *([Text(wording.clean(str(result.variant)))] if with_variant else []),
        Text(words, style="dim"),
    )


def fits(report: Report) -> Iterator[Text]:
    """For each variant, how many devices it fits."""
    variants = list(dict.fromkeys(str(result.variant) for result in report.results))
    for variant in variants:
        own = [result for result in report.results if str(result.variant) == variant]
        count = sum(result.status in _FITS for result in own)
        name = own[0].budget.model.path.name + ("" if len(variants) == 1 else f" as {variant}")
        by = "By its files, " if all(map(_is_of_files, own)) else ""
        yield Text(wording.clean(f"{by}{name} fits {count} of {len(own)} devices."), style="bold")


def _is_of_files(result: CheckResult) -> bool:
    return any(caveat.code == "files-only" for caveat in result.caveats)
