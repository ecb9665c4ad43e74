"""Gates our examples on an emulated device, as users do in their CI (`make gate`).

    python tools/gate.py [--renew]

`examples/gate/holds.yaml` must hold. `examples/gate/fails.yaml` must fail, and its report must match
`examples/gate/fails.golden.json`: figures of files to the byte, emulated ones within `ALLOWED`; time, machine and
duration are not compared. `--renew` rewrites that file; review the diff before you commit it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GATE = Path("examples", "gate")
GOLDEN = ROOT / GATE / "fails.golden.json"
RENEW = f"python {Path(__file__).relative_to(ROOT)} --renew"

#: Share by which a figure may differ, by provenance and metric: the machine's clock counts instructions the same to
#: 0.01 %; memory is the same to the page until the agent, the runtime or the machine is built again. `ram_model` is a
#: small difference of two such figures: a dozen pages more or less are 1 % of it. A projection is another one where
#: LLVM is installed, or no compiler is.
ALLOWED = {"static": 0.0, "emulated": 0.001, "projected": 0.25}
ALLOWED_RAM = {"ram_peak": 0.01, "ram_model": 0.05}

Plain = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Run the gate; 0 if both budgets do what they must."""
    _check("holds.yaml", must=0)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "report.json")
        _check("fails.yaml", "--format", f"json={place}", must=1)
        seen = _comparable(json.loads(place.read_text(encoding="utf-8")))
    if "--renew" in arguments:
        GOLDEN.write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"Wrote {GOLDEN.relative_to(ROOT)}: review the diff.")
        return 0
    found = differences(json.loads(GOLDEN.read_text(encoding="utf-8")), seen, "report")
    for line in found:
        print(line)
    if found:
        print(f"The report differs from {GOLDEN.relative_to(ROOT)}. If that is intended, renew it: {RENEW}")
        return 1
    print(f"The gate holds where it must and fails where it must, as {GOLDEN.relative_to(ROOT)} says.")
    return 0


def _check(budget: str, *options: str, must: int) -> None:
    """Run a user's command and show its output.

    Raises:
        SystemExit: the exit code is not `must`.
    """
    command = [
        str(Path(sys.executable).parent / "edgecheck"),
        "check",
        str(GATE / budget),
        "--target",
        "qemu",
        "--fresh",
        *options,
    ]
    code = subprocess.run(command, check=False, cwd=ROOT).returncode
    print(f"exit code {code}\n", flush=True)
    if code != must:
        sys.exit(f"{budget} must exit with {must}, and exited with {code}.")


def _comparable(report: Plain) -> Plain:
    """The part of the report that is the same on every machine."""
    return {"status": report["status"], "checks": [_of_check(check) for check in report["checks"]]}


def _of_check(check: Plain) -> Plain:
    kept = {key: check[key] for key in ("budget", "variant", "device", "target", "status", "problem")}
    runtime = check["run"]["runtime"]
    return {
        **kept,
        "sha256": check["artifact"]["sha256"],
        "runtime": f"{runtime['name']} {runtime['version']}",
        "verdicts": [_of_verdict(verdict) for verdict in check["verdicts"]],
        "figures": {name: _of_figure(name, found) for name, found in check["figures"].items()},
        "caveats": [caveat["code"] for caveat in check["caveats"]],
        "ways_out": check["ways_out"],
    }


def _of_verdict(verdict: Plain) -> Plain:
    source = verdict["limit"]["source"]
    return {
        "metric": verdict["metric"],
        "status": verdict["status"],
        "limit": [verdict["limit"]["warn"], verdict["limit"]["error"]],
        "at": f"{source['file']}:{source['line']}",
        "reason": re.sub(r"\d[\d.,]*", "#", verdict["reason"]),  # its figures are compared as figures
    }


def _of_figure(name: str, found: Plain) -> Plain:
    return {"value": found["value"], "provenance": found["provenance"], "allowed": _allowed(name, found["provenance"])}


def _allowed(name: str, provenance: str) -> float:
    return ALLOWED_RAM.get(name, ALLOWED[provenance])


def differences(golden: Any, seen: Any, place: str) -> list[str]:
    """The differences between `golden` and `seen`, one line each, beginning with the place."""
    if isinstance(golden, dict) and isinstance(seen, dict):
        if golden.keys() == seen.keys() == {"value", "provenance", "allowed"}:
            return _figure_differs(golden, seen, place)
        keys = dict.fromkeys([*golden, *seen])
        return [line for key in keys for line in differences(golden.get(key), seen.get(key), f"{place}.{key}")]
    if isinstance(golden, list) and isinstance(seen, list) and len(golden) == len(seen):
        pairs = enumerate(zip(golden, seen, strict=True))
        return [line for at, pair in pairs for line in differences(*pair, f"{place}[{at}]")]
    return [] if golden == seen else [f"{place}: {seen!r}, the golden file has {golden!r}"]


def _figure_differs(golden: Plain, seen: Plain, place: str) -> list[str]:
    off = abs(seen["value"] - golden["value"]) / golden["value"]
    if seen["provenance"] == golden["provenance"] and off <= golden["allowed"]:
        return []
    now, then = (f"{each['value']:,.9g} {each['provenance']}" for each in (seen, golden))
    return [f"{place}: {now}, the golden file has {then}: {off:.3%} off, {golden['allowed']:.1%} allowed"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
