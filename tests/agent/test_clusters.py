"""Big and little cores: which ones a check runs on. A folder like the kernel's stands for a phone's processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck_agent import clusters
from edgecheck_agent.jobs import BadJob

#: Capacity and highest clock in kHz of each core of a Google Tensor G3, as its kernel has them.
TENSOR_G3 = [(150, 1704000)] * 4 + [(679, 2367000)] * 4 + [(1024, 2914000)]


@pytest.fixture
def cpus(tmp_path: Path) -> Path:
    for core, (capacity, clock) in enumerate(TENSOR_G3):
        folder = tmp_path / f"cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder.parent / "cpu_capacity").write_text(f"{capacity}\n")
        (folder / "cpuinfo_max_freq").write_text(f"{clock}\n")
    return tmp_path


def test_cores_are_grouped_by_speed(cpus: Path) -> None:
    assert clusters.found(set(range(9)), str(cpus)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert clusters.found({0, 8}, str(cpus)) == [[0], [8]]  # of which Android allows two


@pytest.mark.parametrize(
    ("name", "threads", "cores"),
    [
        ("big", 1, {8}),
        ("big", 2, {4, 5, 6, 7, 8}),
        ("big", 20, set(range(9))),
        ("middle", 1, {4, 5, 6, 7}),
        ("little", 4, {0, 1, 2, 3}),
    ],
)
def test_the_big_one_has_a_core_for_each_thread(cpus: Path, name: str, threads: int, cores: set[int]) -> None:
    assert clusters.chosen(name, threads, clusters.found(set(range(9)), str(cpus))) == cores


def test_a_cluster_that_is_not_there_is_a_job_that_cannot_be_done() -> None:
    with pytest.raises(BadJob, match="no middle cores: it has 2 kinds"):
        clusters.chosen("middle", 1, [[0, 1], [2]])


def test_cores_are_described_with_their_clocks(cpus: Path) -> None:
    assert clusters.described({4, 5, 6, 7, 8}, str(cpus)) == "4-7 (2.37 GHz), 8 (2.91 GHz)"
    assert clusters.described({0, 2}, str(cpus)) == "0, 2 (1.70 GHz)"
    assert clusters.described({0}, "/nonexistent") == "0"
