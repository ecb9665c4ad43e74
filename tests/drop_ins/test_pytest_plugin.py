"""The pytest plugin, in the pytest of a user's own suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from tests.drop_ins.projects import FILES_ONLY, Project, make_project

pytest_plugins = ["pytester"]

#: What is fetched and kept is the user's own: pytester gives each test a home folder of its own.
CACHE = user_cache_path()
#: Nothing converts .onnx to .tflite: a limit on that cannot be decided, and nothing needs to be measured to know it.
UNDECIDED = f"model: ../net.onnx\nformat: tflite\nlimits: {{size: 2 MB}}\ndevices: {{{FILES_ONLY}}}\n"
UNKNOWN = '"budgets"'


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that is pytest's root folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    made = make_project(pytester.path / "suite")
    made.write("pytest.ini", "[pytest]\n")
    made.write("budgets/undecided.yaml", UNDECIDED)
    return made


def run(pytester: pytest.Pytester, suite: Project, call: str, *options: str) -> pytest.RunResult:
    """One test with that call, in a pytest of its own."""
    return run_all(pytester, suite, [call], *options)


def run_all(pytester: pytest.Pytester, suite: Project, calls: list[str], *options: str) -> pytest.RunResult:
    """A test with each call, `test_0` and so on, in one pytest."""
    tests = [
        f"def test_{at}(edgecheck_check):\n    report = edgecheck_check({call})\n    assert report\n"
        for at, call in enumerate(calls)
    ]
    suite.write("tests/test_fits.py", "".join(tests))
    return pytester.runpytest_subprocess("--rootdir", str(suite.folder), str(suite.folder / "tests"), *options)


def test_a_model_that_fits(pytester: pytest.Pytester, suite: Project) -> None:
    run(pytester, suite, '"net.onnx", limits={"size": "2 MB", "ram_peak": "1 GiB"}').assert_outcomes(passed=1)


def test_a_budget_that_does_not_hold_fails_with_the_report(pytester: pytest.Pytester, suite: Project) -> None:
    suite.budget("1 MB")
    done = run(pytester, suite, '"budgets/net.yaml"')
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "net.onnx · as-is · Google Pixel 8, files only",
            "  ✘ fail  size  1.56 MB  ≤ 1.00 MB  56% over  static *budgets/net.yaml:4",
            "Of 1 limit in 1 check, 1 does not hold.",
            "Next: make the model smaller or faster, or raise the limit at *budgets/net.yaml:4.",
        ]
    )
    done.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_relative_paths_are_in_the_root_folder_wherever_the_test_is(pytester: pytest.Pytester, suite: Project) -> None:
    suite.write(
        "tests/deep/test_fits.py",
        "def test_fits(edgecheck_check, monkeypatch, tmp_path):\n"
        "    monkeypatch.chdir(tmp_path)\n"
        '    edgecheck_check("budgets/net.yaml")\n'
        '    edgecheck_check(devices="pixel-8", on_unknown="ignore")\n',
    )
    pytester.runpytest_subprocess("--rootdir", str(suite.folder), str(suite.folder / "tests")).assert_outcomes(passed=1)


def test_what_an_undecided_limit_makes_of_the_test(pytester: pytest.Pytester, suite: Project) -> None:
    rules = ["", *(f', on_unknown="{rule}"' for rule in ("fail", "skip", "warn", "ignore"))]
    done = run_all(pytester, suite, [UNKNOWN + rule for rule in rules], "-v", "-rs")
    done.assert_outcomes(failed=2, skipped=1, passed=2, warnings=1)
    for at, outcome in enumerate(("FAILED", "FAILED", "SKIPPED", "PASSED", "PASSED")):
        done.stdout.fnmatch_lines([f"*::test_{at} {outcome}*"])
    done.stdout.fnmatch_lines(["*test_fits.py:11: *: size: No route converts onnx to tflite*"])
    done.stdout.fnmatch_lines(["SKIPPED * size: No route converts onnx to tflite*"])


def test_the_suite_may_set_the_rule_and_the_call_has_the_last_word(pytester: pytest.Pytester, suite: Project) -> None:
    suite.write("pytest.ini", "[pytest]\nedgecheck_on_unknown = skip\n")
    done = run_all(pytester, suite, [UNKNOWN, UNKNOWN + ', on_unknown="fail"'], "-v")
    done.assert_outcomes(skipped=1, failed=1)
    done.stdout.fnmatch_lines(["*::test_0 SKIPPED*", "*::test_1 FAILED*"])
    run(pytester, suite, UNKNOWN, "-o", "edgecheck_on_unknown=fail").assert_outcomes(failed=1)
    done = run(pytester, suite, UNKNOWN, "-o", "edgecheck_on_unknown=maybe")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*edgecheck_on_unknown takes fail, skip, warn, ignore, not 'maybe'*"])


def test_nothing_judged_is_not_a_pass(pytester: pytest.Pytester, suite: Project) -> None:
    run(pytester, suite, '"budgets/undecided.yaml", on_unknown="ignore"').assert_outcomes(failed=1)


def test_a_failing_limit_is_never_skipped(pytester: pytest.Pytester, suite: Project) -> None:
    suite.budget("1 MB")
    run(pytester, suite, '"budgets", on_unknown="skip"').assert_outcomes(failed=1)


def test_a_warning_is_a_warning_of_python(pytester: pytest.Pytester, suite: Project) -> None:
    suite.budget("{warn: 1 MB, error: 2 MB}")
    done = run(pytester, suite, '"budgets/net.yaml"')
    done.assert_outcomes(passed=1, warnings=1)
    done.stdout.fnmatch_lines(
        ["*test_fits.py:2: BudgetWarning: net.onnx · as-is · Google Pixel 8, files only: size: 1.56 MB is over 1.00 MB"]
    )
    strict = run(pytester, suite, '"budgets/net.yaml"', "-W", "error::edgecheck.pytest_plugin.BudgetWarning")
    strict.assert_outcomes(failed=1)


def test_a_mistake_fails_with_what_to_do(pytester: pytest.Pytester, suite: Project) -> None:
    done = run_all(pytester, suite, ['"nothing.onnx", limits={"sise": "1 MB"}', '"nothing.onnx"'])
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["*unknown metric 'sise'; did you mean size?"])
    done.stdout.fnmatch_lines(["*nothing.onnx does not exist.", "Check the path*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_it_is_listed_and_can_be_switched_off(pytester: pytest.Pytester, suite: Project) -> None:
    done = run(pytester, suite, '"budgets"', "--fixtures")
    done.stdout.fnmatch_lines(["*edgecheck_check*session scope*"])
    run(pytester, suite, '"budgets"', "-p", "no:edgecheck").assert_outcomes(errors=1)


def test_a_suite_that_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_modules.py").write_text(
        "import sys\n"
        "def test_modules():\n"
        "    assert 'edgecheck.pytest_plugin' in sys.modules\n"
        "    ours = {'edgecheck', 'click', 'numpy'}\n"
        "    loaded = {name for name in sys.modules if name.partition('.')[0] in ours}\n"
        "    assert loaded == {'edgecheck', 'edgecheck.pytest_plugin', 'edgecheck.version'}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
