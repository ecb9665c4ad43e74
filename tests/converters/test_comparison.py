"""Two recordings become an agreement.

Covers `agreement.py` and `recording.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgecheck.converters.comparison import Agreement, compared
from edgecheck.converters.recording import Recording
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def recording(
    *samples: object, names: tuple[str, ...] = ("out",), logits: list[NDArray[Any]] | None = None
) -> Recording:
    """One output per sample, or a tuple of outputs."""
    values = tuple(
        tuple(np.asarray(each) for each in (sample if isinstance(sample, tuple) else (sample,))) for sample in samples
    )
    shown = tuple((each,) for each in logits) if logits else tuple((None,) * len(each) for each in values)
    return Recording(names=names, values=values, logits=shown, seeded=False)


F = np.float32


def floats(*rows: list[float]) -> Recording:
    return recording(*(np.array([row], dtype=F) for row in rows))


def test_equal_outputs_agree_completely() -> None:
    same = floats([1, 2, 3], [3, 2, 1])
    assert compared(same, same) == Agreement(
        agreement=1.0, cosine=1.0, varying=1.0, relative_error=0.0, top1=1.0, samples=2, seeded=False
    )


def test_the_worst_sample_counts() -> None:
    reference, found = floats([1, 0], [0, 1]), floats([1, 0], [1, 1])
    agreement = compared(reference, found)
    assert agreement.cosine == pytest.approx(math.sqrt(0.5))
    assert agreement.relative_error == 1.0
    assert agreement.top1 == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_artifact_that_is_not_finite_fails(bad: float) -> None:
    agreement = compared(floats([1, 2]), floats([1, bad]))
    assert agreement.cosine == 0.0
    assert agreement.relative_error == math.inf
    assert agreement.failure == "output out of the artifact is NaN or infinite"


def test_an_artifact_that_is_all_zero_fails() -> None:
    agreement = compared(floats([1e-11, 2e-11], [1, 2]), floats([0, 0], [0, 0]))
    assert agreement.cosine == 0.0
    assert agreement.failure == "output out of the artifact is zero for every sample"


def test_one_zero_sample_is_neither_an_agreement_nor_a_failure() -> None:
    agreement = compared(floats([1, 2], [1, 2]), floats([0, 0], [1, 2]))
    assert agreement.cosine == 0.0
    assert agreement.failure == ""


def test_zeros_agree_with_zeros() -> None:
    agreement = compared(floats([0, 0], [1, 2]), floats([0, 0], [1, 2]))
    assert agreement.cosine == 1.0


def scores(*values: float) -> Recording:
    return floats(*([value] for value in values))


def test_a_constant_artifact_fails_where_the_source_varies() -> None:
    agreement = compared(scores(1000.0, 1000.07, 999.93), scores(1000.0, 1000.0, 1000.0))
    assert agreement.failure == "output out of the artifact is the same for every sample, and its source's is not"
    assert agreement.agreement == 0.0


def test_an_artifact_that_lost_most_of_the_spread_does_not_agree() -> None:
    agreement = compared(scores(1000.0, 1000.08, 999.92), scores(1000.0, 1000.0, 999.96))
    assert agreement.cosine == pytest.approx(1.0, abs=1e-7)
    assert agreement.varying == pytest.approx(1 - 0.008 / 0.0144, abs=1e-3)
    assert agreement.agreement == agreement.varying
    assert agreement.figures == "worst cosine 1, of what varies over the samples 0.4442"


def test_an_artifact_that_is_off_by_a_constant_does_not_agree() -> None:
    agreement = compared(scores(10.0, 10.1, 9.9), scores(11.0, 11.1, 10.9))
    assert agreement.cosine > 0.9999
    assert agreement.agreement < 0.02


def test_a_vector_is_judged_by_what_varies_in_it() -> None:
    agreement = compared(floats([500, 500.1], [500.1, 500]), floats([500, 500.1], [500.02, 500.08]))
    assert agreement.cosine == pytest.approx(1.0, abs=1e-7)
    assert agreement.agreement == pytest.approx(1 - 0.0128 / 0.0168, abs=2e-3)


def test_a_source_that_does_not_vary_is_said() -> None:
    agreement = compared(scores(1000.0, 1000.0), scores(1000.0, 1000.0))
    assert (agreement.agreement, agreement.varying) == (1.0, None)
    assert agreement.basis.endswith("the source answers the same for every sample, so that this says little")


def test_one_sample_has_no_spread() -> None:
    assert compared(scores(3.0), scores(2.9)).varying is None


def test_infinities_by_design_are_left_out() -> None:
    mask = -np.inf
    assert compared(floats([1, 2, mask], [2, 1, mask]), floats([1, 2, mask], [2, 1, -1e9])).agreement == 1.0
    wrong = compared(floats([1, 2, mask], [2, 1, mask]), floats([1, 2, 0.5], [2, 1, mask]))
    assert wrong.failure == "output out of the artifact is NaN or infinite"


def test_a_source_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(ConversionError, match="of the source model itself is not finite"):
        compared(floats([np.nan, 2]), floats([np.nan, 2]))


def test_one_value_has_no_direction_but_all_samples_together_have() -> None:
    reference, found = floats([1.0], [2.0], [3.0]), floats([3.0], [2.0], [1.0])
    agreement = compared(reference, found)
    assert agreement.cosine == pytest.approx(10 / 14)
    assert agreement.top1 is None


def test_outputs_are_compared_before_the_softmax_if_both_have_one() -> None:
    probabilities = [np.array([[1.0, 0.0]], dtype=F)]
    reference = recording(*probabilities, logits=[np.array([[20.0, 1.0]], dtype=F)])
    found = recording(*probabilities, logits=[np.array([[20.0, -9.0]], dtype=F)])
    agreement = compared(reference, found)
    assert agreement.note == "compared before the softmax"
    assert agreement.cosine < 0.9
    assert agreement.top1 == 1.0
    without = recording(*probabilities)
    assert compared(reference, without).note == ""
    assert compared(reference, without).cosine == 1.0


def test_zeros_after_a_softmax_are_a_failure_even_if_its_inputs_agree() -> None:
    logits = [np.array([[0.1, 0.2]], dtype=F)]
    reference = recording(np.array([[0.002, 0.003]], dtype=F), logits=logits)
    agreement = compared(reference, recording(np.array([[0.0, 0.0]], dtype=F), logits=logits))
    assert agreement.failure == "output out of the artifact is zero for every sample"
    assert agreement.cosine == 0.0


def test_labels_and_scores_of_a_classifier() -> None:
    names = ("label", "scores")
    reference = recording(
        (np.array(["a"]), np.array([[0.9, 0.1]])), (np.array(["b"]), np.array([[0.4, 0.6]])), names=names
    )
    found = recording((np.array(["a"]), np.array([[0.9, 0.1]])), (np.array(["a"]), np.array([[0.6, 0.4]])), names=names)
    agreement = compared(reference, found)
    assert agreement.top1 == 0.5
    assert agreement.cosine == pytest.approx((0.4 * 0.6 * 2) / (0.4**2 + 0.6**2))


def test_outputs_of_integers_alone_agree_where_they_are_equal() -> None:
    agreement = compared(recording(np.array([[1, 2, 3, 4]])), recording(np.array([[1, 2, 3, 5]])))
    assert agreement.cosine == 0.75
    assert agreement.relative_error == 0.25


def test_outputs_in_another_order_are_matched_by_name() -> None:
    one, two = np.array([[1.0, 2.0]]), np.array([[5.0, -1.0]])
    agreement = compared(recording((one, two), names=("p", "q")), recording((two, one), names=("q", "p")))
    assert agreement.cosine == pytest.approx(1.0)


def test_dense_outputs_have_no_top_class() -> None:
    boxes = recording(np.ones((1, 8, 4), dtype=F))
    assert compared(boxes, boxes).top1 is None


@pytest.mark.parametrize(
    ("reference", "found", "said"),
    [
        (
            recording((np.ones(2), np.ones(2)), names=("a", "b")),
            recording(np.ones(2)),
            "has 1 outputs and its source 2",
        ),
        (recording(np.ones((1, 4))), recording(np.ones((1, 5))), r"shape \[1, 4\] in the source and \[1, 5\]"),
    ],
)
def test_what_cannot_be_compared_is_refused(reference: Recording, found: Recording, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        compared(reference, found)


def test_a_value_on_an_offset_is_judged_by_itself_in_a_vector_of_few() -> None:
    rng = np.random.default_rng(0)
    wanted = np.stack([rng.normal(20, 10, 16), 1013 + rng.normal(0, 0.05, 16)], axis=1)
    found = wanted.copy()
    found[:, 1] = 1013.0
    agreement = compared(floats(*wanted.tolist()), floats(*found.tolist()))
    assert agreement.cosine > 0.99999
    assert agreement.agreement == pytest.approx(0.0, abs=0.1), "the temperature agrees, and the pressure stands still"
    assert compared(floats(*wanted.tolist()), floats(*wanted.tolist())).agreement == 1.0


def test_probabilities_of_several_classes_are_one_answer() -> None:
    rng = np.random.default_rng(0)
    wanted = np.stack([rng.uniform(0, 1, 16), 0.999 + rng.normal(0, 1e-4, 16)], axis=1)
    found = wanted.copy()
    found[:, 1] = 0.999
    assert compared(floats(*wanted.tolist()), floats(*found.tolist())).agreement > 0.9999


def test_an_artifact_with_one_label_for_every_sample_fails_where_its_source_has_several() -> None:
    def labels(*values: str) -> Recording:
        return recording(*(np.array([each]) for each in values))

    stands = labels(*["ok"] * 20)
    assert compared(labels(*["ok"] * 18, "odd", "odd"), stands).failure.startswith(
        "output out of the artifact is the same"
    )
    assert not compared(labels(*["ok"] * 19, "odd"), stands).failure
    assert not compared(labels(*["odd"] * 20), stands).failure, "a constant source shows nothing"
