"""Every byte of every real model is accounted for, once."""

from __future__ import annotations

import pytest

from edgecheck.anatomy.values import Kind
from examples.real_models import fetch
from tests.anatomy.real_anatomies import NAMES, anatomy, bytes_on_disk


@pytest.mark.parametrize("name", NAMES)
def test_kinds_sum_to_the_file_size(name: str) -> None:
    found = anatomy(name)
    totals = found.totals
    assert totals.tensors + totals.structure + totals.metadata + totals.padding == bytes_on_disk(fetch(name))
    assert totals.unclaimed == 0
    assert [file.overlaps for file in found.files] == [()] * len(found.files)


@pytest.mark.parametrize("name", NAMES)
def test_parts_sum_to_each_file(name: str) -> None:
    assert anatomy(name).files
    for file in anatomy(name).files:
        assert file.parts
        assert sum(part.size for part in file.parts) == file.size
        assert all(part.size > 0 for part in file.parts)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_sum_to_the_tensors_total(name: str) -> None:
    found = anatomy(name)
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors


@pytest.mark.parametrize("name", NAMES)
def test_places_lie_in_their_files_and_hold_what_is_stored(name: str) -> None:
    found = anatomy(name)
    assert any(tensor.places for tensor in found.tensors)
    for tensor in found.tensors:
        for place in tensor.places:
            assert 0 <= place.start <= place.start + place.size <= found.files[place.file].size
        if not tensor.shares:
            assert sum(place.size for place in tensor.places) == tensor.stored


def test_only_hdf5_has_gaps_and_they_are_listed() -> None:
    with_gaps = {name for name in NAMES if any(file.gaps for file in anatomy(name).files)}
    assert with_gaps == {"emotion.hdf5"}
    file = anatomy("emotion.hdf5").files[0]
    freed = next(part for part in file.parts if part.what == "freed and not used again")
    assert freed.kind is Kind.PADDING
    assert freed.size == sum(gap.size for gap in file.gaps)
