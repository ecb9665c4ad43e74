"""Masks, thresholds and clusters of tensorflow_model_optimization, under the names that its files have."""

from __future__ import annotations

from edgecheck.anatomy.values import Role, Tensor
from edgecheck.anatomy.wrappers import of_training


def tensor(name: str, role: Role = Role.WEIGHT) -> Tensor:
    return Tensor(
        name=name, layer="", operator="", dtype="float32", shape=(4,), role=role, stored=16, memory=16, places=()
    )


def trained(*names: str) -> list[str]:
    """The names whose tensors are of the training."""
    return [each.name for each in of_training(map(tensor, names)) if each.role is Role.OPTIMIZER]


def test_a_pruned_layer_keeps_its_own_weights_only() -> None:
    wrapper = "model_weights/prune_low_magnitude_dense/prune_low_magnitude_dense"
    added = [f"{wrapper}/{name}:0" for name in ("mask", "mask_1", "threshold", "pruning_step")]
    assert trained("model_weights/prune_low_magnitude_dense/dense/kernel:0", *added) == added


def test_a_saved_model_names_them_without_the_number_of_an_output() -> None:
    assert trained("dense/kernel", "pruned/mask", "pruned/threshold", "pruned/pruning_step") == [
        "pruned/mask",
        "pruned/threshold",
        "pruned/pruning_step",
    ]


def test_a_clustered_layer() -> None:
    added = ["c/c/cluster_centroids_kernel:0", "c/c/pulling_indices_kernel:0"]
    assert trained("c/dense/kernel:0", *added) == added


def test_variables_with_numbers_are_the_wrapper_s_if_they_are_not_its_layer_s() -> None:
    layers = ["layers/prune_low_magnitude_2/layer/vars/0", "layers/dense/vars/0"]
    added = [
        "layers/prune_low_magnitude_2/vars/0",
        "layers/prune_low_magnitude/vars/3",
        "layers/cluster_weights/vars/1",
    ]
    assert trained(*layers, *added) == added


def test_a_mask_without_a_pruning_step_is_a_weight() -> None:
    assert trained("attention/mask:0", "attention/threshold:0", "other/pruning_steps") == []
