"""Samples become feeds that fit the model's inputs, and everything that does not fit is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecheck.converters.interface import Request
from edgecheck.converters.samples import SEEDED, Port, described, feeds, load, shapes_of
from edgecheck.errors import ConversionError

IMAGE = Port("image", (None, 4, 4, 1), "float32")


def request(path: Path, **more: object) -> Request:
    return Request(model=path, source="onnx", format="onnx", variant="int8", **more)  # type: ignore[arg-type]


def test_random_feeds_are_reproducible(tmp_path: Path) -> None:
    ports = (IMAGE, Port("ids", (None, 7), "int64"), Port("picture", (1, 2), "uint8"))
    once, again = feeds(ports, request(tmp_path)), feeds(ports, request(tmp_path))
    assert once.seeded
    assert len(once.each) == SEEDED
    assert once.each[0]["image"].shape == (1, 4, 4, 1)
    assert set(np.unique([feed["ids"] for feed in once.each])) == {0, 1}
    assert max(feed["picture"].max() for feed in once.each) > 1
    for one, two in zip(once.each, again.each, strict=True):
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_samples_get_their_batch_axis_and_type(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", picture=np.ones((3, 4, 4, 1)))
    fed = feeds((IMAGE,), request(tmp_path, samples=tmp_path / "s.npz"))
    assert not fed.seeded
    assert fed.words == "3 samples"
    assert [feed["image"].shape for feed in fed.each] == [(1, 4, 4, 1)] * 3
    assert fed.each[0]["image"].dtype == np.float32


def test_a_description_reads_only_headers(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", a=np.zeros((5, 2), np.int64), b=np.zeros((5, 3, 1)))
    content = (tmp_path / "s.npz").read_bytes()
    assert described(tmp_path / "s.npz") == {"a": ((2,), "int64"), "b": ((3, 1), "float64")}
    assert (tmp_path / "s.npz").read_bytes() == content


BAD = {
    "no.npz": (
        {"image": np.zeros((2, 5, 5, 1))},
        "A sample of no.npz has shape [5, 5, 1], but input image takes [?, 4, 4, 1].",
    ),
    "uneven.npz": ({"image": np.zeros((2, 4, 4, 1)), "b": np.zeros((3, 1))}, "needs the same number of samples"),
    "empty.npz": ({"image": np.zeros((0, 4, 4, 1))}, "needs the same number of samples"),
    "objects.npz": ({"image": np.array([{}, {}], dtype=object)}, "cannot be read"),
    "more.npz": ({"a": np.zeros((2, 4)), "b": np.zeros((2, 4))}, "holds a, b, but the model's inputs are image"),
}


@pytest.mark.parametrize("name", BAD)
def test_samples_that_do_not_fit_are_refused(tmp_path: Path, name: str) -> None:
    arrays, said = BAD[name]
    np.savez(tmp_path / name, **arrays)  # type: ignore[arg-type]
    with pytest.raises(ConversionError) as caught:
        feeds((IMAGE,), request(tmp_path, samples=tmp_path / name))
    assert said in caught.value.message
    assert caught.value.hint


TWO = (Port("z_in", (None, 2), "float32"), Port("a_in", (None, 2), "float32"))


@pytest.mark.parametrize("names", [("foo", "bar"), ("a", "z_in")])
def test_samples_under_other_names_are_not_matched_by_order(tmp_path: Path, names: tuple[str, ...]) -> None:
    np.savez(tmp_path / "s.npz", **{name: np.zeros((3, 2)) for name in names})  # type: ignore[arg-type]
    with pytest.raises(ConversionError) as caught:
        feeds(TWO, request(tmp_path, samples=tmp_path / "s.npz"))
    assert caught.value.message == f"s.npz holds {names[0]}, {names[1]}, but the model's inputs are z_in, a_in."
    assert feeds(TWO, request(tmp_path, samples=tmp_path / "s.npz", ordered=True)).each  # names that edgecheck wrote


def test_samples_without_names_are_matched_by_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", np.zeros((3, 2)), np.ones((3, 2)))
    feed = feeds(TWO, request(tmp_path, samples=tmp_path / "s.npz")).each[0]
    assert (feed["z_in"].max(), feed["a_in"].max()) == (0, 1)


@pytest.mark.parametrize("inputs", [{"foo": (1, 2)}, {"z_in": (1, 2), "foo": (1, 2)}, {"foo": (1, 2), "bar": (1, 2)}])
def test_shapes_under_other_names_are_an_error(tmp_path: Path, inputs: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ConversionError, match=r"name .*foo.*, but the model's inputs are z_in, a_in"):
        shapes_of(TWO, request(tmp_path, inputs=inputs))


@pytest.mark.parametrize(("values", "said"), [(np.array([[1j]]), "complex numbers"), (np.array([["a"]]), "text")])
def test_samples_of_another_kind_are_refused(tmp_path: Path, values: np.ndarray, said: str) -> None:
    np.savez(tmp_path / "s.npz", x=values)
    with pytest.raises(ConversionError, match=f"for input x are {said}, but it takes float32"):
        feeds((Port("x", (None, 1), "float32"),), request(tmp_path, samples=tmp_path / "s.npz"))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_not_an_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(ConversionError):
        load(tmp_path / "s.npz")


def test_fractions_for_an_integer_input_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", ids=np.array([[0.5, 1.0]]))
    with pytest.raises(ConversionError, match="are fractions, but it takes int64"):
        feeds((Port("ids", (None, 2), "int64"),), request(tmp_path, samples=tmp_path / "s.npz"))


def test_a_pickle_in_an_npz_is_not_unpickled(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("image.npy", b"\x80\x04cposix\nsystem\n.")
    with pytest.raises(ConversionError, match="cannot be read"):
        feeds((IMAGE,), request(tmp_path, samples=tmp_path / "s.npz"))


def test_open_dimensions_are_named_in_the_error(tmp_path: Path) -> None:
    ports = (Port("serving_default_x:0", (None, 3, None, None), "float32"), IMAGE)
    with pytest.raises(ConversionError) as caught:
        shapes_of(ports, request(tmp_path))
    assert caught.value.message == "The model leaves a dimension open: input x has shape [?, 3, ?, ?]."
    assert caught.value.hint == (
        "Give --samples FILE or --input x=1,3,D2,D3; in a budget `samples:` or `inputs: {x: [1, 3, D2, D3]}`."
    )


def test_samples_fill_open_dimensions_that_the_budget_leaves_open(tmp_path: Path) -> None:
    ports = (Port("serving_default_x:0", (None, 3, None, None), "float32"), Port("row", (None, None), "float32"), IMAGE)
    arrays = {"x": np.zeros((5, 3, 8, 9)), "row": np.zeros((5, 1, 7)), "image": np.zeros((5, 4, 4, 1))}
    np.savez(tmp_path / "s.npz", **arrays)  # type: ignore[arg-type]
    shapes = {"serving_default_x:0": (1, 3, 8, 9), "row": (1, 7), "image": (1, 4, 4, 1)}
    assert shapes_of(ports, request(tmp_path, samples=tmp_path / "s.npz")) == shapes
    said = request(tmp_path, samples=tmp_path / "s.npz", inputs={"row": (1, 2)})
    assert shapes_of(ports, said) == {**shapes, "row": (1, 2)}
    np.savez(tmp_path / "other.npz", **{**arrays, "x": np.zeros((5, 4, 8, 9))})  # type: ignore[arg-type]
    with pytest.raises(ConversionError, match=r"A sample of other\.npz has shape \[4, 8, 9\], but input x takes"):
        shapes_of(ports, request(tmp_path, samples=tmp_path / "other.npz"))


def test_the_budgets_shapes_fill_open_dimensions(tmp_path: Path) -> None:
    port = Port("serving_default_x:0", (None, 3, None, None), "float32")
    for name in ("x", "serving_default_x:0", "args_0"):
        assert shapes_of((port,), request(tmp_path, inputs={name: (1, 3, 8, 9)})) == {port.name: (1, 3, 8, 9)}
    with pytest.raises(ConversionError, match="has shape"):
        shapes_of((port,), request(tmp_path, inputs={"x": (1, 4, 8, 9)}))
