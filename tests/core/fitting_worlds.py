"""What is true of each variant, and a player who learns it move by move."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgecheck.core.budget import Variant
from edgecheck.core.device_match import match
from edgecheck.core.finding import Finding, Measurement, Unmeasured
from edgecheck.core.fitting import Fit, Move, Step, Trial, answer, next_move
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import CheckResult
from edgecheck.core.run import DeviceState, Run
from edgecheck.core.verdict import judge
from tests.builders import ARTIFACT, MIB, budget, limit, profile, run

NAMES = ("float32", "float16", "int8-weights", "int8-dynamic", "int8")
LADDER = tuple(map(Variant, NAMES))
PROFILE = profile()
LIMITS = (limit("size", 1_000_000), limit("latency_p50", 0.050), limit("ram_peak", 100 * MIB, None))
HERE = run(before=DeviceState(model="Raspberry Pi 4 Model B Rev 1.5"))
PC = run(before=DeviceState(system="Linux", machine="x86_64"))


@dataclass(frozen=True)
class World:
    """What is true of one variant, whether anybody looks or not."""

    size: float = 500_000
    p50: float | None = 0.010
    """None: the run gives no figure."""
    agreement: float | None = 0.999
    made: bool = True
    zeros: bool = False
    ram: float = 60 * MIB
    ready: float = 40 * MIB
    run: Run | None = HERE
    problem: str = ""

    def findings(self, *, ran: bool) -> dict[str, Finding]:
        found: dict[str, Finding] = {"size": figure("size", self.size, Provenance.STATIC)}
        if self.zeros:
            found["agreement"] = Unmeasured(METRICS["agreement"], "output y is zero for every sample", fails=True)
        elif self.agreement is not None:
            found["agreement"] = figure("agreement", self.agreement)
        if ran and self.run is not None:
            found["ram_peak"], found["ram_model"] = (
                figure("ram_peak", self.ram),
                figure("ram_model", self.ram - self.ready),
            )
            found["latency_p50"] = (
                figure("latency_p50", self.p50)
                if self.p50 is not None
                else Unmeasured(METRICS["latency_p50"], "it gave none")
            )
        return found


def figure(name: str, value: float, provenance: Provenance = Provenance.MEASURED) -> Measurement:
    return Measurement(metric=METRICS[name], value=value, provenance=provenance, basis="16 samples")


def trial(variant: Variant | str, world: World, *, ran: bool = True) -> Trial:
    """What the pipeline would make of it."""
    named = Variant(variant) if isinstance(variant, str) else variant
    seen = world.run if ran else None
    findings = world.findings(ran=ran) if world.made else {}
    judged = [each for each in LIMITS if ran or not each.metric.needs_device]
    matched = match(PROFILE, seen)
    whole = CheckResult(
        budget=budget((PROFILE, LIMITS)),
        variant=named,
        profile=PROFILE,
        target="ssh://pi@desk",
        verdicts=tuple(
            judge(each, findings.get(each.metric.name, Unmeasured(each.metric, world.problem or "no figure")), matched)
            for each in judged
        ),
        artifact=replace(ARTIFACT, variant=named.name, size=int(world.size)) if world.made else None,
        run=seen if world.made else None,
        findings=findings,
        problem=world.problem if ran or not world.made else "",
    )
    return Trial(whole, finished=ran or not world.made)


def play(worlds: dict[Variant, World], *, every: bool = False) -> tuple[Fit, list[Move]]:
    """Do what is said until nothing more is."""
    trials: dict[Variant, Trial] = {}
    moves: list[Move] = []
    while (move := next_move(tuple(worlds), tuple(trials.values()), every=every)) is not None:
        moves.append(move)
        trials[move.variant] = trial(move.variant, worlds[move.variant], ran=move.step is Step.RUN)
        assert len(moves) <= 2 * len(worlds)
    return answer(tuple(worlds), tuple(trials.values())), moves


def worlds(**changes: World) -> dict[Variant, World]:
    usual = dict(zip(NAMES, (1.0, 0.99999, 0.999, 0.997, 0.996), strict=True))
    named = {name.replace("-", "_"): name for name in NAMES}
    made = {name: World(agreement=agreement) for name, agreement in usual.items()}
    made |= {named[key]: world for key, world in changes.items()}
    return {Variant(name): world for name, world in made.items()}
