"""`--limit METRIC=VALUE`; `--growth` is tested in `tests/cli/test_compare.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.config import limits_from_texts
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import METRICS
from edgecheck.errors import UsageError


@pytest.mark.parametrize(
    ("text", "metric", "bound"),
    [
        ("ram_peak=80MiB", "ram_peak", 80 * 2**20),
        (" latency_p50 = 50 ms ", "latency_p50", 0.05),
        ("agreement=99%", "agreement", 0.99),
        ("instructions=200e6", "instructions", 2e8),
    ],
)
def test_a_limit_says_that_it_is_from_the_command_line(text: str, metric: str, bound: float) -> None:
    assert limits_from_texts([text]) == {
        metric: Limit(metric=METRICS[metric], error=bound, source=Source("command line"))
    }


def test_a_limit_can_be_switched_off() -> None:
    assert limits_from_texts(["load_time = off", "ram_peak=off"]) == {
        "load_time": None,
        "ram_peak": None,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ram_peak", "--limit ram_peak has no value."),
        ("ram_peek=1MB", "--limit ram_peek=1MB: unknown metric 'ram_peek'; did you mean ram_peak?"),
        ("=1MB", f"--limit =1MB: unknown metric ''; expected {', '.join(METRICS)}"),
        (
            "ram_peak=80",
            "--limit ram_peak=80: '80' has no unit; expected a size with its unit, such as 80 MiB or 1.5 MB",
        ),
        ("ram_peak=", "--limit ram_peak=: found ''; expected a size with its unit, such as 80 MiB or 1.5 MB"),
        ("top1=1.5", "--limit top1=1.5: '1.5' is more than 1; expected a share from 0 to 1"),
    ],
)
def test_what_is_not_a_limit_is_reported(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        limits_from_texts([text])
    assert caught.value.message == message
    assert caught.value.hint == "Write a metric and its bound: --limit ram_peak=80MiB"


def test_neither_a_limit_nor_this_machine_imports_yaml(root: Path) -> None:
    code = (
        "import sys; from edgecheck.config import Profiles, limits_from_texts, load_budgets, load_project; "
        "from pathlib import Path; limits_from_texts(['size=1MB']); Profiles().get('this-machine'); "
        "load_project(Path('/')); "
        "print(sorted({'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
