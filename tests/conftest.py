"""For every test: a fixed width, no colour variables, a separate lock, and the quick tests marked and guarded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from examples.real_models import fetch, link
from tests.quick import forbid_processes, has_no_quick_test, is_quick

ROOT = Path(__file__).parents[1]

#: Shared fixtures that cost nothing to make twice.
CHEAP = {"root", "example_models", "own_lock", "tmp_path_factory", "pytestconfig", "cache", "here"}

# The same examples on every run, without a deadline: the machine may be busy.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the quick tests, and group the others by file where they share something that is built once.

    Conversions are kept on disk, for all processes. What takes longest comes first, so that no process works on it when
    the others are done: machines and conversions, then groups, then single tests.
    """
    for item in items:
        if is_quick(item):
            item.add_marker("quick")
        elif shares_a_fixture(item) and item.get_closest_marker("convert") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker("emulator") is not None or item.get_closest_marker("convert") is not None:
        return 0
    return 1 if item.get_closest_marker("xdist_group") is not None else 2


def shares_a_fixture(item: pytest.Item) -> bool:
    """Whether a fixture outlives the test: one process then runs the tests of the file, in their order."""
    assert isinstance(item, pytest.Function)
    used = [found[-1] for found in item._fixtureinfo.name2fixturedefs.values()]
    return any(each.scope in ("class", "module", "session") and each.argname not in CHEAP for each in used)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m quick`, pass over files without a quick test: some download models when they are imported."""
    if config.option.markexpr == "quick" and collection_path.match("test_*.py") and has_no_quick_test(collection_path):
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A quick test that starts a process fails."""
    if item.get_closest_marker("quick") is None:
        return (yield)
    with forbid_processes():
        return (yield)


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lock other than this machine's, so that neither tests nor what they share wait for other checks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECHECK_LOCK", str(tmp_path_factory.getbasetemp() / "measuring.lock"))
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def example_models(root: Path) -> Path:
    """The folder with the models that our own budgets name."""
    folder = root / "examples" / "models"
    for name in ("mtcnn_onet.onnx", "face_detection_short_range.tflite"):
        link(fetch(name), folder)
    return folder
