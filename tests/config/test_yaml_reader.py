"""YAML text to a `tree` (and `files`): hostile text gives one problem at its place; nothing ambiguous is guessed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from edgecheck.config.problems import RefusedError
from edgecheck.config.tree import MappingNode, at, to_python
from edgecheck.config.yaml_reader import read_file, read_tree

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{step}: &a{step} [*a{step - 1}]\n" for step in range(1, 40))


def refusal(text: str) -> str:
    with pytest.raises(RefusedError) as caught:
        read_tree(text, "b.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "b.yaml: is empty"),
        ("# only a comment\n", "b.yaml: is empty"),
        ("---\n...\n", "b.yaml: is empty"),
        ("~", "b.yaml: is empty"),
        ("a: 1\n---\nb: 2\n", "b.yaml:2:1: a second document starts here; expected one document per file"),
        ("a: 1\nb: {c: 1, c: 2}\n", "b.yaml:2:11: b.c: duplicate key, first on line 2"),
        ("b: 1\nb: 2\n", "b.yaml:2:1: b: duplicate key, first on line 1"),
        ("'': 1", "b.yaml:1:1: a key is empty; expected text before the colon"),
        ("? [a]\n: b", "b.yaml:1:3: a list or mapping stands where a key belongs; expected text before the colon"),
        ("a: &a b\n*a : c", "b.yaml:2:1: an alias stands where a key belongs; expected text before the colon"),
        ("a: *b", "b.yaml:1:4: a: the alias *b has no anchor &b before it"),
        ("a: &a [*a]", "b.yaml:1:8: a[0]: the alias *a stands inside what it stands for"),
        (BOMB, "b.yaml:4:29: d[7]: holds more than 10,000 values, aliases expanded"),
        ("- x\n" * 10_001, "b.yaml:10000:3: [9999]: holds more than 10,000 values, aliases expanded"),
        ("[" * 100_000, "b.yaml:1:33: nests deeper than 32 levels"),
        ("{a: " * 100_000, "b.yaml:1:129: nests deeper than 32 levels"),
        ("- " * 100_000, "b.yaml:1:65: nests deeper than 32 levels"),
        (LADDER, "b.yaml:32:12: nests deeper than 32 levels"),
        ("a: 010", ('b.yaml:1:4: a: 010 starts with a zero, which some YAML readers take for octal; write 10, '
         'or "010" where text is meant')),
        ("[-00]", ('b.yaml:1:2: [0]: -00 starts with a zero, which some YAML readers take for octal; write 0, '
         'or "-00" where text is meant')),
        ("a: !!python/object/apply:os.system [x]",
         "b.yaml:1:4: a: found the tag !!python/object/apply:os.system; expected plain values, without a tag"),
        ("a: ! 3.11", "b.yaml:1:4: a: found the tag !; expected plain values, without a tag"),
        ("a: !env HOME", "b.yaml:1:4: a: found the tag !env; expected plain values, without a tag"),
        ("a: !!binary aGk=", "b.yaml:1:4: a: found the tag !!binary; expected plain values, without a tag"),
        ("!e!x a: 1", "b.yaml:1:1: is not YAML here: a tag; expected plain values, without a tag"),
        ("y: {<<: 3}", "b.yaml:1:9: y: `<<` takes a mapping, or a list of mappings"),
        ("y: {<<: [{}, 3]}", "b.yaml:1:9: y: `<<` takes a mapping, or a list of mappings"),
        ("<<: {a: 1}\n<<: {b: 1}", "b.yaml:2:1: '<<': duplicate key, first on line 1"),
        ("\ta: 1", "b.yaml:1:1: found a tab; YAML takes spaces to indent"),
        ("a:\n  \tb: 1", "b.yaml:2:3: found a tab; YAML takes spaces to indent"),
        ("a: b: c", "b.yaml:1:5: is not YAML here: a second colon on the line; quote the text that holds it"),
        ("a: 1\n  b: 2",
         "b.yaml:2:4: is not YAML here: the line above lacks its colon, or this one is indented too far"),
        ("a: @x", "b.yaml:1:4: is not YAML here: a character that YAML reserves; quote the text that starts with it"),
        ('a: "x', "b.yaml:1:6: is not YAML here: the file ends inside a quoted text; close the quote"),
        ("a: [1, 2\n", "b.yaml:2:1: is not YAML here: a comma or ] is missing"),
        ("a: {b: 1\n", "b.yaml:2:1: is not YAML here: a comma or } is missing"),
        ("a:\n    b: 1\n  c: 2\n", "b.yaml:3:3: is not YAML here: the indentation does not fit the lines above"),
        ("a:\n- b\n  c\n -d: 1",
         "b.yaml:4:4: is not YAML here: the line above lacks its colon, or this one is indented too far"),
        ("- a\nb", "b.yaml:3:1: is not YAML here: a key lacks its colon"),
        ("a: ]", "b.yaml:1:4: is not YAML here: did not find expected node content"),
    ],
)  # fmt: skip
def test_text_that_is_refused_gives_one_problem_at_its_place(text: str, message: str) -> None:
    assert refusal(text) == message


def test_an_error_without_a_place_is_a_problem_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_text: str, Loader: object) -> None:  # noqa: N803 - PyYAML's name
        raise yaml.MarkedYAMLError(problem="it is odd")

    monkeypatch.setattr(yaml, "parse", fail)
    assert refusal("a: 1") == "b.yaml: is not YAML: it is odd"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("", None),
        ("~", None),
        ("'null'", "null"),
        ('"3.11"', "3.11"),
        ("!!str 3.11", "3.11"),
        ("3.11", 3.11),
        ("12", 12),
        ("-12", -12),
        ("0", 0),
        ("200_000_000", 200_000_000),
        ("200e6", 200e6),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("1e400", "1e400"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("2024-01-01", "2024-01-01"),
        ("9" * 65, "9" * 65),
        ("=", "="),
        (".", "."),
    ],
)
def test_a_scalar_is_what_every_yaml_reader_agrees_on_and_else_text(text: str, value: object) -> None:
    read = to_python(read_tree(f"a: {text}", "b.yaml"))
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert type(read["a"]) is type(value)


def test_without_libyaml_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecheck.config.yaml_reader._LOADER", yaml.SafeLoader)
    text = "limits: &a {size: '1 MB', off: 010x}\nb: {<<: *a}\n"
    assert to_python(read_tree(text, "b.yaml")) == {
        "limits": {"size": "1 MB", "off": "010x"},
        "b": {"size": "1 MB", "off": "010x"},
    }
    mark = at(read_tree(text, "b.yaml"), ["limits", "size"]).mark
    assert text[mark.start : mark.end] == "'1 MB'"
    assert refusal("\ta: 1") == "b.yaml:1:1: found a tab; YAML takes spaces to indent"
    assert refusal("a: b: c").endswith("a second colon on the line; quote the text that holds it")
    assert refusal("[" * 100_000) == "b.yaml:1:33: nests deeper than 32 levels"


def test_nan_is_a_number_that_later_checks_refuse() -> None:
    read = to_python(read_tree("[.nan]", "b.yaml"))
    assert isinstance(read, list)
    assert math.isnan(read[0])


def test_keys_are_always_text() -> None:
    assert to_python(read_tree("{off: 1, 3.10: 2, 010: 3, null: 4, 'a b': 5}", "b.yaml")) == {
        "off": 1,
        "3.10": 2,
        "010": 3,
        "null": 4,
        "a b": 5,
    }


def test_aliases_and_merges_stand_for_what_they_name() -> None:
    text = "one: &one {a: 1, b: 2}\ntwo: {<<: *one, b: 3}\nthree: {<<: [*one, {c: 4}]}\nfour: *one\n'<<': 5\n"
    assert to_python(read_tree(text, "b.yaml")) == {
        "one": {"a": 1, "b": 2},
        "two": {"a": 1, "b": 3},
        "three": {"a": 1, "b": 2, "c": 4},
        "four": {"a": 1, "b": 2},
        "<<": 5,
    }


def test_a_scalar_may_be_the_entire_document() -> None:
    assert to_python(read_tree("text", "b.yaml")) == "text"


def test_marks_give_the_place_to_splice_an_edit() -> None:
    text = "# über\r\nlimits:\r\n  size: '1 MB'  # comment\r\n  ram_peak: {error: 2 MiB}\r\n"
    tree = read_tree(text, "b.yaml")
    size, levels = at(tree, ["limits", "size"]).mark, at(tree, ["limits", "ram_peak"]).mark
    assert text[size.start : size.end] == "'1 MB'"
    assert text[levels.start : levels.end] == "{error: 2 MiB}"
    assert isinstance(tree, MappingNode)
    assert (tree.entries["limits"].key.place.line, tree.entries["limits"].key.place.column) == (2, 1)


def file_refusal(name: str) -> str:
    with pytest.raises(RefusedError) as caught:
        read_file(Path(name))
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\nb: \xff\xfe\n", "b.yaml:2:4: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("a: \N{LATIN SMALL LETTER U WITH DIAERESIS}".encode("latin-1"),
         "b.yaml:1:4: byte 0xfc is not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "b.yaml:1:1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"a: 1\nb: x\0y\n", "b.yaml:2:5: found the control character U+0000; expected text"),
        (b"a: \x1b[31m\n", "b.yaml:1:4: found the control character U+001B; expected text"),
        ("a: \ufffe\n".encode(), "b.yaml:1:4: found the control character U+FFFE; expected text"),
        (b"\xef\xbb\xbfa: \x07\n", "b.yaml:1:4: found the control character U+0007; expected text"),
        (b"a: 1\n" + b"#" * 1_000_000, "b.yaml: is larger than 1 MB, which no budget or profile is"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_text_gives_one_problem(here: Path, data: bytes, message: str) -> None:
    (here / "b.yaml").write_bytes(data)
    assert file_refusal("b.yaml") == message


def test_a_file_of_a_hundred_megabytes_is_refused_without_being_read(here: Path) -> None:
    with (here / "b.yaml").open("wb") as stream:
        stream.truncate(100_000_000)
    assert file_refusal("b.yaml") == "b.yaml: is larger than 1 MB, which no budget or profile is"


def test_what_is_not_a_file_is_refused(here: Path) -> None:
    (here / "folder.yaml").mkdir()
    assert file_refusal("folder.yaml") == "folder.yaml: is not a file"
    assert file_refusal("missing.yaml") == "missing.yaml: cannot be read: No such file or directory"


def test_a_name_that_would_garble_a_terminal_is_escaped(here: Path) -> None:
    (here / "a\x1b[31m.yaml").write_text("")
    assert file_refusal("a\x1b[31m.yaml") == "a\\x1b[31m.yaml: is empty"


def test_a_file_elsewhere_is_named_as_it_was_given(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "b.yaml"
    assert file_refusal(str(path)) == f"{path}: cannot be read: No such file or directory"


def test_a_byte_order_mark_is_not_part_of_the_text(here: Path) -> None:
    (here / "b.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    tree = read_file(Path("b.yaml"))
    assert to_python(tree) == {"a": 1}
    assert tree.mark.place.column == 1
