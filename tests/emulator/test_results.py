"""Which runs are kept, what is asked for by which key, and what a damaged entry is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecheck.emulator import programs, results
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.results import Question
from tests.emulator.test_hardware import IMAGE


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Question:
    """A question about a small file."""
    qemu = tmp_path / "qemu"
    qemu.touch()
    monkeypatch.setattr(programs, "path", lambda _name: str(qemu))
    model = tmp_path / "model.tflite"
    model.write_bytes(b"weights")
    job = {"threads": 1, "inputs": {}, "deadline_s": 600}
    return Question(
        image=IMAGE,
        bundle="b",
        agent="a",
        cpu="cortex-a72",
        available_bytes=1 << 30,
        job=job,
        model=(model,),
        samples=None,
    )


def lines(*outcomes: str, last: str = "done") -> list[bytes]:
    events: list[dict[str, Any]] = [{"event": "end", "outcome": outcome} for outcome in outcomes]
    return [json.dumps(event).encode() + b"\n" for event in (*events, {"event": last})]


def test_a_kept_run_is_found_with_its_date(cache: Cache) -> None:
    results.keep(cache, "k", lines("completed"))

    found = results.find(cache, "k", 0.0)
    assert found is not None
    assert list(found.lines) == lines("completed")
    assert results.find(cache, "k", found.measured) is not None
    assert results.find(cache, "k", found.measured + 1) is None  # --fresh: it is from before
    assert results.find(cache, "other", 0.0) is None


@pytest.mark.parametrize("outcomes", [("completed",), ("killed-for-memory",), ("refused", "completed")])
def test_what_a_second_run_would_show_too_is_kept(cache: Cache, outcomes: tuple[str, ...]) -> None:
    results.keep(cache, "k", lines(*outcomes))

    assert results.find(cache, "k", 0.0) is not None


@pytest.mark.parametrize(
    "said", [lines("timeout"), lines("completed", "killed"), lines("crashed"), lines("completed", last="end")[:1], []]
)
def test_what_may_be_the_hosts_fault_or_is_incomplete_is_not(cache: Cache, said: list[bytes]) -> None:
    results.keep(cache, "k", said)

    assert results.find(cache, "k", 0.0) is None


@pytest.mark.parametrize("damage", [b"", b"rubbish", b'{"event": "done"}\n'])
def test_a_damaged_entry_is_none(cache: Cache, damage: bytes) -> None:
    results.keep(cache, "k", lines("completed"))
    (cache.root / "results/k/lines").write_bytes(damage)
    assert results.find(cache, "k", 0.0) is None

    results.keep(cache, "k", lines("completed"))
    (cache.root / "results/k/entry.json").write_bytes(damage)
    assert results.find(cache, "k", 0.0) is None
    results.keep(cache, "k", lines("completed"))
    assert results.find(cache, "k", 0.0) is not None


def test_the_key_is_the_content_of_everything_that_decides(question: Question, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(b"weights")

    assert replace(question, model=(copy,)).key() == question.key()
    assert replace(question, job={**question.job, "deadline_s": 5}).key() == question.key()


@pytest.mark.parametrize(
    "change",
    [
        lambda one, _: replace(one, image=replace(IMAGE, content="other")),
        lambda one, _: replace(one, bundle="other"),
        lambda one, _: replace(one, agent="other"),
        lambda one, _: replace(one, cpu="cortex-a76"),
        lambda one, _: replace(one, available_bytes=1 << 29),
        lambda one, _: replace(one, job={**one.job, "threads": 2}),
        lambda one, _: replace(one, job={**one.job, "inputs": {"x": [1, 3]}}),
        lambda one, other: replace(one, model=(other,)),
        lambda one, other: replace(one, model=(*one.model, other)),
        lambda one, other: replace(one, samples=other),
        lambda one, _: replace(one, counting="a plugin"),
    ],
)
def test_any_change_is_another_key(
    question: Question, tmp_path: Path, change: Callable[[Question, Path], Question]
) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(b"others")

    assert change(question, other).key() != question.key()


def test_another_qemu_is_another_key(question: Question, tmp_path: Path) -> None:
    before = question.key()
    (tmp_path / "qemu").write_bytes(b"newer")

    assert question.key() != before
