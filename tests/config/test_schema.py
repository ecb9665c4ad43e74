"""`schema` and `kinds`: what a section reads, each problem at its place, and the JSON Schema."""

from __future__ import annotations

from typing import ClassVar

import pytest

from edgecheck.config.kinds import (
    SECONDS,
    TEXT,
    ListOf,
    MappingOf,
    OrNothing,
    list_or,
    mapping_or,
    one_of,
    text_like,
    whole_number,
)
from edgecheck.config.problems import Problem
from edgecheck.config.schema import Section, json_schema, key, problems_of_part, validate
from edgecheck.config.yaml_reader import read_tree
from edgecheck.core.units import TAKES, Unit


class Inner(Section):
    """A part."""

    least: float = key(SECONDS, "The least.", "1 s", default=1.0)
    most: float = key(SECONDS, "The most; more is refused.", "2 s", at_least="least")


class Outer(Section):
    """A file."""

    title: ClassVar[str] = "a file"

    label: str = key(TEXT, "Its name; unique.", "a name", name="class")
    inner: Inner | None = key(OrNothing(Inner), "A part.", {"most": "2 s"}, default=None)
    word: str = key(one_of("one", "second"), "A word.", "one", default="one")
    counts: list[int] = key(ListOf(whole_number(1, 9)), "Counts.", [1, 2], default=[])
    by_digit: dict[str, Inner] = key(MappingOf(text_like(r"\d", "a digit"), Inner), "By digit.", default={})
    names: str | list[str] = key(list_or(TEXT, ListOf(TEXT)), "Names.", "a", default=[])
    part: str | Inner = key(mapping_or(TEXT, Inner), "A part or its name.", "a", default="")

    def problem(self) -> str:
        """One that no key alone has."""
        return "has both" if {"counts", "names"} <= self.given else ""


A_NUMBER = 'found 5, which YAML reads as a number (it is text in quotes: "5")'
A_PART = "expected a mapping with the keys least, most and so on"


def problems(text: str) -> list[str]:
    found: list[Problem] = []
    values = validate(Outer, read_tree(text, "f.yaml"), found)
    assert (values is None) is bool(found)
    return [str(problem) for problem in found]


def test_values_are_attributes_and_what_is_not_given_has_its_default() -> None:
    found: list[Problem] = []
    text = 'class: x\ninner: {most: 3 s}\nby_digit: {"4": {most: 1 s}}\nword:\npart: {most: 5 s}\n'
    outer = validate(Outer, read_tree(text, "f.yaml"), found)
    assert outer is not None
    assert (outer.label, outer.word, outer.counts, outer.names) == ("x", "one", [], [])
    assert outer.inner is not None
    assert (outer.inner.least, outer.inner.most) == (1.0, 3.0)
    assert outer.by_digit["4"].most == 1.0
    assert isinstance(outer.part, Inner)
    assert outer.given == {"label", "inner", "by_digit", "part"}  # `word` has no value, which is as good as absent
    assert outer.inner.given == {"most"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inner: {}", "f.yaml:1:8: inner.most: is missing: the most, such as 2 s"),
        ("inner: {most: }", f"f.yaml:1:15: inner.most: is empty; expected {TAKES[Unit.SECONDS]}"),
        ("inner: 5", "f.yaml:1:8: inner: found 5; expected a mapping such as {most: 2 s}"),
        ("inner: {most: 1 ms, least: 2 s}", "f.yaml:1:15: inner.most: is shorter than least, 2.00 s"),
        ("inner: {most: 1 ms}", "f.yaml:1:15: inner.most: is shorter than least, 1.00 s"),
        ("inner: {most: 1 s, mots: 1}", "f.yaml:1:20: inner.mots: unknown key; did you mean most?"),
        ("inner: {most: 1 s, x: 1}", "f.yaml:1:20: inner.x: unknown key; expected least, most"),
        ("word: scond", "f.yaml:1:7: word: found 'scond'; did you mean second?"),
        ("word: 5", f"f.yaml:1:7: word: {A_NUMBER}; expected one of one, second"),
        ("counts: {}", "f.yaml:1:9: counts: found a mapping; expected a list such as [1, 2]"),
        ("counts: [1, 10]", "f.yaml:1:13: counts[1]: found 10; expected a whole number from 1 to 9"),
        ("by_digit: []", "f.yaml:1:11: by_digit: found a list; expected a mapping"),
        ("by_digit: {x: {most: 1 s}}", "f.yaml:1:12: by_digit.x: found the key 'x'; expected a digit"),
        ('by_digit: {"4": 5}', f"f.yaml:1:17: by_digit.4: found 5; {A_PART}"),
        ("names: [a, 5]", f"f.yaml:1:12: names[1]: {A_NUMBER}; expected text on one line"),
        ("counts: [1]\nnames: a", "f.yaml:1:1: has both"),
    ],
)
def test_a_problem_names_its_place_what_was_found_and_what_is_taken(text: str, message: str) -> None:
    lines = text.count("\n") + 2
    assert problems(f"{text}\nclass: x") == [message]
    assert problems(f"{text}\nclas: x")[-1] == f"f.yaml:{lines}:1: clas: unknown key; did you mean class?"


def test_every_problem_is_found_at_once() -> None:
    assert problems('counts: [0, a]\nword: 5\nby_digit: {x: 1, "5": {}}\nelse: 1\n') == [
        "f.yaml:1:1: class: is missing: its name, such as a name",
        f"f.yaml:2:7: word: {A_NUMBER}; expected one of one, second",
        "f.yaml:1:10: counts[0]: found 0; expected a whole number from 1 to 9",
        "f.yaml:1:13: counts[1]: found a; expected a whole number from 1 to 9",
        "f.yaml:3:15: by_digit.x: found 1; expected a mapping with the keys least, most and so on",
        "f.yaml:3:12: by_digit.x: found the key 'x'; expected a digit",
        "f.yaml:3:23: by_digit.5.most: is missing: the most, such as 2 s",
        "f.yaml:4:1: else: unknown key; expected class, inner, word, counts, by_digit, names, part",
    ]


def test_in_a_part_of_a_file_no_key_is_missing() -> None:
    assert problems_of_part(Outer, read_tree("inner: {least: 1 s}", "f.yaml")) == []
    (problem,) = problems_of_part(Outer, read_tree("inner: {least: 1}", "f.yaml"))
    assert str(problem).startswith("f.yaml:1:16: inner.least: 1 has no unit")


def test_the_json_schema_says_the_same() -> None:
    seconds = SECONDS.described
    assert json_schema(Outer) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a file",
        "$defs": {
            "Inner": {
                "type": "object",
                "description": "A part.",
                "properties": {
                    "least": {"anyOf": seconds["anyOf"], "description": "The least.", "examples": ["1 s"]},
                    "most": {
                        "anyOf": seconds["anyOf"],
                        "description": "The most; more is refused.",
                        "examples": ["2 s"],
                    },
                },
                "required": ["most"],
                "additionalProperties": False,
            }
        },
        "type": "object",
        "description": "A file.",
        "properties": {
            "class": {"type": "string", "minLength": 1, "description": "Its name; unique.", "examples": ["a name"]},
            "inner": {
                "anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}],
                "description": "A part.",
                "examples": [{"most": "2 s"}],
            },
            "word": {
                "type": "string",
                "enum": ["one", "second"],
                "description": "A word.",
                "examples": ["one"],
                "default": "one",
            },
            "counts": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 9},
                "description": "Counts.",
                "examples": [[1, 2]],
            },
            "by_digit": {
                "type": "object",
                "patternProperties": {r"^(?:\d)$": {"$ref": "#/$defs/Inner"}},
                "description": "By digit.",
            },
            "names": {
                "oneOf": [
                    {"type": "array", "items": {"type": "string", "minLength": 1}},
                    {"type": "string", "minLength": 1},
                ],
                "description": "Names.",
                "examples": ["a"],
            },
            "part": {
                "oneOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/Inner"}],
                "description": "A part or its name.",
                "examples": ["a"],
            },
        },
        "required": ["class"],
        "additionalProperties": False,
    }
