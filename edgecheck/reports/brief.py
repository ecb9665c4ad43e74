"""A check in one line: its status, what was checked where, and the limit that decides."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from edgecheck.core.report import CheckResult
from edgecheck.core.text import middle_cut
from edgecheck.core.verdict import Status
from edgecheck.reports import wording
from edgecheck.reports.matrix import SIGNS, deciding

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
