"""Which of many devices a model fits: a line for each, those with most room first."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status
from edgecheck.reports import Style, wording
from edgecheck.reports.brief import brief, words_of
from edgecheck.reports.layout import Column, Grid
from edgecheck.reports.matrix import SIGNS, best_first, deciding

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
