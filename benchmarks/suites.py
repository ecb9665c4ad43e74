"""The test suites of onnx, scikit-learn, Keras and torch through edgecheck: what is converted, refused and wrong.

    python benchmarks/suites.py --sample 8            # 8 models of each suite, about a minute
    python benchmarks/suites.py                       # all of them
    python benchmarks/suites.py classifiers onnx      # only these suites
    python benchmarks/suites.py onnx --onnx FOLDER    # the .onnx files below FOLDER, as of another release of onnx
    python benchmarks/suites.py layers --only LSTM    # only models with this in their names, with the reasons

Each model is made with its own framework and saved; edgecheck converts it to float32 and says how well the artifact
agrees. Then the artifact runs on other inputs than edgecheck's, and its answers are compared with the framework's here.
A model is *wrong* if the artifact answers something else and edgecheck did not say so, and *reported* if it did. It is
*refused* if edgecheck converts it to nothing and says why. An `.onnx` is *read* if its bytes are accounted for and its
weights are those that onnx counts.

Conversions go the same way as in `edgecheck convert`, with the safety gate and the cache; only the child processes
are forked from this one, which has imported the framework, instead of started and sealed. Exits with 1 if anything is
wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

#: For the frameworks, which are imported later.
QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}

from benchmarks import suite_models, suite_onnx  # noqa: E402
from edgecheck.anatomy.formats import identify  # noqa: E402
from edgecheck.converters import child, process  # noqa: E402
from edgecheck.converters.agreement import agreement_of  # noqa: E402
from edgecheck.converters.convert import convert  # noqa: E402
from edgecheck.converters.interface import (  # noqa: E402
    TRUST_ALL,
    ConversionSettings,
    Failure,
    Request,
    Task,
    read_answer,
    write_task,
)
from edgecheck.errors import ConversionError, EdgecheckError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds that one step of one model may take.
DEADLINE = 240.0
#: Agreement below which edgecheck says that the artifact answers something else.
ENOUGH = 0.999
KINDS = ("converted", "refused", "reported", "wrong", "not made")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one model."""

    name: str
    kind: str
    """One of `KINDS`."""
    why: str = ""
    seconds: float = 0.0


def forked(work: Callable[[], None], log: Path, deadline: float = DEADLINE) -> bool:
    """Do `work` in a fork of this process, its output in `log`; returns whether it ended well and in time."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - this is the process's boundary
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    ends = time.monotonic() + deadline
    while time.monotonic() < ends:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.005)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def performed(task: Task, scratch: Path, deadline: float, progress: Callable[[str], None]) -> process.Finished:
    """Do what `process.perform` does, in a fork; see there for what is raised."""
    progress(task.doing)
    out, temporary, todo = scratch / "out", scratch / "tmp", scratch / "task.json"
    out.mkdir()
    temporary.mkdir()
    write_task(task, todo)

    def work() -> None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        child.main(str(todo), str(out))

    log = scratch / "log"
    if not forked(work, log, deadline):
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise process.RouteError(f"The converter crashed or took too long: {' '.join(last)}", "")
    answer = read_answer(out)
    if isinstance(answer, Failure):
        raise (ConversionError if answer.final else process.RouteError)(answer.message, answer.hint)
    return process.Finished(out, answer)


def tried(suite: suite_models.Suite, name: str, settings: ConversionSettings) -> Outcome:
    """Make, convert and compare one model."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log = folder / "log"
        if not forked(lambda: suite.make(name, folder), log):
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            return Outcome(name, "not made", " ".join(last))
        kind, why = _converted(suite, folder, settings)
    return Outcome(name, kind, why, time.monotonic() - started)


def _converted(suite: suite_models.Suite, folder: Path, settings: ConversionSettings) -> tuple[str, str]:
    model = next(folder.glob("model.*"))
    request = Request(
        model=model,
        source=identify(model).value,
        format=suite.format,
        variant="float32",
        trusted=TRUST_ALL if suite.trusted else "",
    )
    try:
        artifact = convert(request, settings, progress=_nobody)
    except EdgecheckError as error:
        return "refused", f"{error.message} {error.hint}"
    try:
        agreement = agreement_of(artifact, request, settings, progress=_nobody)
        said = agreement.failure or (f"agreement {agreement.agreement:.4g}" if agreement.agreement < ENOUGH else "")
    except EdgecheckError as error:
        said = error.message
    different = _different(suite, Path(artifact.path), folder)
    if not different:
        return "converted", said
    return ("reported" if said else "wrong"), f"{different}; edgecheck: {said or 'agrees'}; {' '.join(artifact.notes)}"


def _different(suite: suite_models.Suite, artifact: Path, folder: Path) -> str:
    """How the artifact's answers differ from the framework's; empty where they do not."""
    answer = folder / "different.json"

    def work() -> None:
        answer.write_text(json.dumps(suite_models.difference(artifact, folder, suite.format)), encoding="utf-8")

    if not forked(work, folder / "log"):
        last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
        return f"the artifact does not run: {' '.join(last)}"
    return str(json.loads(answer.read_text(encoding="utf-8")))


def _nobody(_: str) -> None:
    """Hear the progress, which nobody reads."""


def run(suite: suite_models.Suite, chosen: Iterable[str], settings: ConversionSettings) -> list[Outcome]:
    """Try each model; the framework is imported once, and runs only in forks."""
    suite.prepare()
    process.perform = performed
    outcomes = []
    for name in chosen:
        outcomes.append(tried(suite, name, settings))
        _show(outcomes[-1])
    return outcomes


def _show(outcome: Outcome) -> None:
    if outcome.kind != "converted":
        print(f"  {outcome.kind}: {outcome.name}: {outcome.why[:300]}", file=sys.stderr, flush=True)


def sampled(names: list[str], count: int, seed: int) -> list[str]:
    """`count` of the names in their order, the same for the same seed; all of them for 0."""
    if not count or count >= len(names):
        return names
    chosen = set(random.Random(seed).sample(range(len(names)), count))
    return [name for at, name in enumerate(names) if at in chosen]


def table(found: dict[str, list[Outcome]]) -> str:
    """Counts by suite, as Markdown."""
    lines = [f"| suite | models | {' | '.join(KINDS[:-1])} | seconds |", f"| --- |{' ---: |' * (len(KINDS) + 1)}"]
    for title, outcomes in found.items():
        counts = Counter(each.kind for each in outcomes)
        tried_ones = len(outcomes) - counts["not made"]
        cells = [str(tried_ones), *(str(counts[kind]) for kind in KINDS[:-1])]
        lines.append(f"| {title} | {' | '.join(cells)} | {math.ceil(sum(each.seconds for each in outcomes))} |")
    return "\n".join(lines)


def main() -> int:
    """Run the suites; 1 if a model is wrong."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("suites", nargs="*", help=f"of {', '.join([suite_onnx.TITLE, *suite_models.SUITES])}")
    options.add_argument("--sample", type=int, default=0, metavar="N", help="at most N models of each suite")
    options.add_argument("--seed", type=int, default=0, help="which models are in the sample")
    options.add_argument("--only", default="", metavar="WORD", help="only models with this in their names")
    options.add_argument("--onnx", type=Path, metavar="FOLDER", help="other .onnx files than those of the package")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the outcome of every model")
    given = options.parse_args()
    os.environ.update(QUIET)
    everything = (suite_onnx.TITLE, *suite_models.SUITES)
    chosen = [title for title in everything if not given.suites or any(title.startswith(word) for word in given.suites)]
    found: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for title in chosen:
            # Each suite in a separate process: a framework that was imported for one is not there for another.
            results = Path(cache) / f"{title}.json"
            if not forked_suite(title, given, results, Path(cache)):
                print(f"{title}: stopped before its end", file=sys.stderr)
                return 2
            found[title] = [Outcome(**each) for each in json.loads(results.read_text(encoding="utf-8"))]
            if not found[title]:
                del found[title]
    print(table(found))
    if given.json:
        every = {title: [vars(each) for each in outcomes] for title, outcomes in found.items()}
        given.json.write_text(json.dumps(every, indent=1), encoding="utf-8")
    return int(any(each.kind == "wrong" for outcomes in found.values() for each in outcomes))


def forked_suite(title: str, given: Any, results: Path, cache: Path) -> bool:
    """Run one suite in a fork that shares this terminal; returns whether it came to its end."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    code = 1
    try:
        outcomes = _suite(title, given, cache)
        results.write_text(json.dumps([vars(each) for each in outcomes]), encoding="utf-8")
        code = 0
    except BaseException:  # noqa: BLE001 - this is the process's boundary
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _suite(title: str, given: Any, cache: Path) -> list[Outcome]:
    print(title, file=sys.stderr, flush=True)
    if title == suite_onnx.TITLE:
        outcomes = []
        with tempfile.TemporaryDirectory() as scratch:
            files = suite_onnx.files(given.onnx, Path(scratch))
            names = sampled([name for name in files if given.only in name], given.sample, given.seed)
            for name in names:
                started = time.monotonic()
                kind, why = suite_onnx.read_as_onnx_does(files[name])
                outcomes.append(Outcome(name, kind, why, time.monotonic() - started))
                _show(outcomes[-1])
        return outcomes
    suite = suite_models.SUITES[title]
    if not suite.is_installed():
        print(f"  not installed: {suite.package}", file=sys.stderr)
        return []
    names = sampled([name for name in suite.names() if given.only in name], given.sample, given.seed)
    return run(suite, names, ConversionSettings(cache / "cache", deadline=DEADLINE))


if __name__ == "__main__":
    sys.exit(main())
