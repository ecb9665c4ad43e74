"""What libyaml says of text that is not YAML, as a sentence that names the remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgecheck.config.problems import Place, Problem

if TYPE_CHECKING:
    import yaml

_TAB = re.compile(r" *\t")
# In libyaml's words, then in those of PyYAML's own parser, which serves where libyaml is not.
_COLON = ("mapping values are not allowed in this context", "mapping values are not allowed here")
_ADVICE = {
    **dict.fromkeys(_COLON, "the line above lacks its colon, or this one is indented too far"),
    "found character that cannot start any token": "a character that YAML reserves; quote the text that starts with it",
    "found unexpected end of stream": "the file ends inside a quoted text; close the quote",
    "did not find expected ',' or '}'": "a comma or } is missing",
    "did not find expected ',' or ']'": "a comma or ] is missing",
    "did not find expected key": "the indentation does not fit the lines above",
    "did not find expected '-' indicator": "the indentation does not fit the list above",
    "could not find expected ':'": "a key lacks its colon",
    "found undefined tag handle": "a tag; takes plain values, without a tag",
}


def syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """The problem at the place that libyaml points at."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(Place(file), "", f"is not YAML: {error.problem}")
    place = Place(file, mark.line + 1, mark.column + 1)
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    tab = _TAB.match(line)
    if tab:
        return Problem(Place(file, place.line, tab.end()), "", "found a tab; YAML takes spaces to indent")
    if error.problem in _COLON and ": " in line[: mark.column]:
        return Problem(place, "", "is not YAML here: a second colon on the line; quote the text that holds it")
    said = error.problem or "the text ends too early"
    return Problem(place, "", f"is not YAML here: {_ADVICE.get(said, said)}")
