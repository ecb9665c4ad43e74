"""Caveats: doubts about a run, with advice that takes into account what the user already did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgecheck.core import contention, statistics
from edgecheck.core.budget import Effort
from edgecheck.core.device import DeviceProfile, holding
from edgecheck.core.finding import Likeness
from edgecheck.core.metrics import AGREEMENT
from edgecheck.core.placement import by_profile, left_in_words
from edgecheck.core.run import Phase, Purpose, Run, RuntimeFacts, WorkerRun
from edgecheck.core.sustained import in_words, settled

#: A latency is called noisy beyond this robust coefficient of variation (trtexec warns at 2.5 % on a locked GPU clock;
#: a shared CPU without locked clocks shows three times that at rest).
NOISY = 0.08

#: Outliers are reported beyond this share; a few per hundred occur on every machine that does anything else.
MANY_OUTLIERS = 0.05

#: An outlier must also take this many times the median: on a machine at rest, whose latencies agree to a percent,
#: outliers raise no doubt.
FAR_OUT = 1.5

#: A trend over the run is reported beyond this share of the latency.
DRIFTING = 0.05

#: A first steady inference this many times the median is called slow.
SLOW_FIRST = 2.0

#: The kernel's high-water mark and the highest sample may differ by this share without a caveat.
MEMORY_AGREES = 0.05

#: Outputs that agree less than this with the source model's raise a doubt, even where no limit asks for agreement.
AGREES = 0.95

#: Bytes by which swap in use may grow on a machine at rest.
SWAPPED = 2**20


@dataclass(frozen=True, slots=True)
class Caveat:
    """One doubt."""

    code: str
    message: str
    advice: str = ""


def caveats(run: Run, profile: DeviceProfile, artifact_format: str, effort: Effort) -> tuple[Caveat, ...]:
    """Every caveat about `run`, the most important first.

    Args:
        run: What was seen.
        profile: The device that it was meant for.
        artifact_format: `tflite` or `onnx`.
        effort: How long was measured, so that the advice is not to do what was done already.
    """
    return (
        *_broken(run),
        *_other_runtime(run, profile, artifact_format),
        *_device_state(run, profile),
        *_app_share(run, profile),
        *_left_behind(run),
        *_latency(run, effort),
        *_memory(run),
        *noted(run),
    )


def low_agreement(likeness: Likeness) -> Iterator[Caveat]:
    """That an artifact computes something else than its source, whatever was asked about it."""
    if likeness.failure or likeness.agreement >= AGREES:
        return
    advice = (
        "These are random inputs: real ones may agree better or worse, and only samples show it (--samples FILE, or "
        "`samples:` in a budget)."
        if "random" in likeness.basis
        else "Choose a less lossy variant, or set a limit on agreement if this is enough."
    )
    shown = AGREEMENT.show(likeness.agreement)
    yield Caveat("low-agreement", f"The outputs agree with the source model's by {shown}, on {likeness.basis}.", advice)


def _broken(run: Run) -> Iterator[Caveat]:
    if run.broken:
        yield Caveat("broken", f"The run is incomplete: {run.broken.rstrip('.')}.", "Run it again.")


def _other_runtime(run: Run, profile: DeviceProfile, artifact_format: str) -> Iterator[Caveat]:
    pins = holding(profile.runtimes.get(artifact_format, ()), run.before.python)
    if run.runtime is None or not pins:
        return
    pinned = pins[0]
    if not _meets(run.runtime, pinned):
        yield Caveat(
            "other-runtime",
            f"Ran on {run.runtime}; the profile of {profile.name} pins {pinned}.",
            "Latency and RAM differ between runtimes. Use the profile's (`bundle: profile`, --bundle profile), or "
            "change the pin.",
        )


def _meets(runtime: RuntimeFacts, requirement: str) -> bool:
    """Whether the runtime is what a profile requires: `name`, `name==1.2`, `name>=1.2`, with or without extras."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        pinned = Requirement(requirement)
    except InvalidRequirement:
        return False
    name, found = canonicalize_name(pinned.name), canonicalize_name(runtime.name)
    same = name == found or name.startswith(f"{found}-")  # onnxruntime-gpu brings onnxruntime
    return same and pinned.specifier.contains(runtime.version, prereleases=True)


def _device_state(run: Run, profile: DeviceProfile) -> Iterator[Caveat]:
    if flags := throttling(run):
        cause = "power supply" if any("voltage" in flag for flag in flags) else "cooling"
        yield Caveat("throttled", f"The device reports: {', '.join(flags)}.", f"Check its {cause} and run again.")
    yield from _phone_state(run)
    yield from _power_mode(run, profile)
    slow = sorted(set(run.before.governors) & {"powersave", "conservative"})
    if slow:
        yield Caveat("governor", f"The CPU governor is {slow[0]}.", "Set it to `performance` for steady figures.")
    swap = (run.after.swap_used or 0) - (run.before.swap_used or 0)
    if swap > SWAPPED:
        yield Caveat(
            "swapped",
            f"Swap in use grew by {swap / 2**20:.0f} MiB while the model ran.",
            "Resident memory looks smaller than it is: free some memory and run again.",
        )


def _phone_state(run: Run) -> Iterator[Caveat]:
    states = [state for state in (run.before.phone, run.after.phone) if state is not None]
    if any(state.emulator for state in states):
        yield Caveat(
            "android-emulator",
            "This is Android's emulator: its times are those of the computer on which it runs.",
            "Connect a phone, or take edgecheck's emulated device, whose latency is projected (--target qemu).",
        )
    if any(state.battery_saver for state in states):
        yield Caveat(
            "battery-saver",
            "The phone was on battery saver, which lowers its clocks.",
            "Switch it off (Settings > Battery) or charge the phone, and run again.",
        )
    if any(state.awake is False for state in states):
        yield Caveat(
            "screen-off",
            "The phone's screen was off: Android may keep programs from the fast cores then.",
            "Unlock it, and keep it on: Settings > Developer options > Stay awake.",
        )
    elif any(state.locked for state in states):
        yield Caveat(
            "locked",
            "The phone was locked: its screen goes dark soon, and Android may keep programs from the fast cores then.",
            "Unlock it, and keep it on: Settings > Developer options > Stay awake.",
        )


def _left_behind(run: Run) -> Iterator[Caveat]:
    """The nodes that did not run on the accelerator that was asked for."""
    if run.placement is None:
        return
    placement = by_profile(run.placement, run.spent)
    if placement.taken and placement.left:
        yield Caveat(
            "left-behind",
            f"{placement.total - placement.taken:,} of {placement.total:,} nodes did not run on "
            f"{placement.accelerator}: {left_in_words(placement, run.spent)}.",
            "Replace these operators by some that it takes, or limit `offloaded` to what is enough.",
        )


def _power_mode(run: Run, profile: DeviceProfile) -> Iterator[Caveat]:
    """That a Jetson is not in the power mode that its profile is about, with the board's own number for it."""
    before, after = run.before.jetson, run.after.jetson
    if before is None or not profile.power_mode:
        return
    if not before.mode:
        yield Caveat(
            "power-mode",
            f"The board does not say its power mode; the profile of {profile.name} is about {profile.power_mode}.",
            "Look with `nvpmodel -q` on the board itself: a container lacks the tool and its files "
            "(EDGECHECK_SYSTEM_ROOT says where the board's root is mounted).",
        )
        return
    modes = dict(before.modes)
    if before.mode != profile.power_mode:
        number = modes.get(profile.power_mode)
        has = ", ".join(modes) or "others"
        yield Caveat(
            "power-mode",
            f"The board is in power mode {before.mode}; the profile of {profile.name} is about {profile.power_mode}.",
            f"Set it and run again: sudo nvpmodel -m {number}"
            if number is not None
            else f"It has no such mode, but {has}: set `power_mode:` in the profile to the one that is meant.",
        )
    elif after is not None and after.mode and after.mode != before.mode:
        yield Caveat(
            "power-mode",
            f"The power mode changed from {before.mode} to {after.mode} while the model ran.",
            f"Set it and run again: sudo nvpmodel -m {modes.get(profile.power_mode, 0)}",
        )


def _app_share(run: Run, profile: DeviceProfile) -> Iterator[Caveat]:
    if profile.app is None:
        return
    readings = [(worker.peak, worker.mark(Phase.RUNTIME_READY)) for worker in run.memory_workers]
    grown = [
        peak - mark.rss for peak, mark in readings if peak is not None and mark is not None and mark.rss is not None
    ]
    if max(grown, default=0) > profile.app.heap:
        yield Caveat(
            "app-heap",
            f"The model takes {max(grown) / 2**20:.0f} MiB, more than an app's managed heap may grow to there "
            f"({profile.app.heap / 2**20:.0f} MiB).",
            "Let the app map the model's file, or load it in native code: neither is on that heap.",
        )
    phone = run.before.phone
    if phone is not None and phone.low_ram != profile.app.low_ram:
        yield Caveat(
            "low-ram-class",
            f"The phone is {'' if phone.low_ram else 'not '}of Android's low-RAM class; the profile of {profile.name} "
            "says otherwise.",
            "Correct `app: {low_ram: …}` in the profile, or take the profile of that phone.",
        )


def throttling(run: Run) -> tuple[str, ...]:
    """Flags of throttling while the model ran: those set now, and those of past events that are new since it began."""
    now = [flag for flag in (*run.before.throttled, *run.after.throttled) if "occurred" not in flag]
    new = [flag for flag in run.after.throttled if flag not in run.before.throttled]
    return tuple(dict.fromkeys([*now, *new]))


def _latency(run: Run, effort: Effort) -> Iterator[Caveat]:
    for worker in run.of(Purpose.LATENCY):
        yield from _contended(worker)
    for worker in map(settled, run.of(Purpose.LATENCY)):
        if worker.states:
            yield Caveat("sustained", in_words(next(each for each in run.of(Purpose.LATENCY) if each.states)))
        if len(worker.latencies) >= statistics.ENOUGH_FOR_SPREAD:
            yield from _noise(worker)
            yield from _outliers(worker)
            yield from _drift(worker)
            yield from _slow_first(worker, effort)


def _contended(worker: WorkerRun) -> Iterator[Caveat]:
    if cause := contention.cause(worker):
        yield Caveat(
            "contended",
            f"{cause[:1].upper()}{cause[1:]}.",
            f"That can only slow a model, so a pass still holds. For steady figures, {contention.ADVICE}.",
        )


def _noise(worker: WorkerRun) -> Iterator[Caveat]:
    spread = statistics.robust_cv(worker.latencies)
    if spread is not None and spread > NOISY:
        yield Caveat(
            "noisy",
            f"Latencies spread by {spread:.0%} around their median.",
            "Close what else runs there, or pin the clock (governor `performance`).",
        )


def _outliers(worker: WorkerRun) -> Iterator[Caveat]:
    far = FAR_OUT * statistics.median(worker.latencies)
    slow = [at for at in statistics.outliers(worker.latencies) if worker.latencies[at] > far]
    share = len(slow) / len(worker.latencies)
    if share > MANY_OUTLIERS:
        yield Caveat(
            "outliers",
            f"{share:.0%} of the latencies are far from the rest, over {FAR_OUT:g} times the median.",
            "Something else uses the processor from time to time: find it before trusting high percentiles.",
        )


def _drift(worker: WorkerRun) -> Iterator[Caveat]:
    grown = statistics.growth(worker.latencies)
    if grown is not None and (grown[0] > DRIFTING or grown[1] < -DRIFTING):
        least, most = sorted(map(abs, grown))
        word, advice = (
            ("rose", "The device may be warming up: cool it, or measure longer.")
            if grown[0] > 0
            else ("fell", "It had not settled: increase `measure: {warmup_time: …}`.")
        )
        yield Caveat("drift", f"Latencies {word} by {least:.0%} to {most:.0%} during the run.", advice)


def _slow_first(worker: WorkerRun, effort: Effort) -> Iterator[Caveat]:
    times = worker.latencies[0] / statistics.median(worker.latencies)
    if times > SLOW_FIRST:
        longer = max(2.0, 4 * effort.warmup_time)
        yield Caveat(
            "slow-first-run",
            f"The first steady inference took {times:.1f} times the median, after {effort.warmup_time:g} s of warm-up.",
            f"Set `measure: {{warmup_time: {longer:g} s}}` in the budget.",
        )


def _memory(run: Run) -> Iterator[Caveat]:
    for worker in run.memory_workers:
        sampled = max((rss for _, rss in worker.samples), default=0)
        if worker.peak and sampled and sampled < worker.peak * (1 - MEMORY_AGREES):
            yield Caveat(
                "short-peak",
                f"The kernel's high-water mark is {worker.peak / 2**20:.1f} MiB; the samples reached "
                f"{sampled / 2**20:.1f} MiB.",
                "The peak was shorter than the time between samples; the kernel's mark is judged.",
            )
            return


#: Advice, by the code of the agent's note.
_ADVICE = {
    "no-counts": "Until then, projected latencies are instructions times one constant, with a wide interval.",
    "nan-output": "Check the model's weights and inputs.",
    "guessed-dimension": "Set the shape that it is used with: the cost depends on it.",
    "not-pinned": "Let the account do that without a password (sudo), or log in as root.",
    "not-fixed": "Its clock varies as the phone sees fit: compare only runs at like temperatures, one after another.",
    "hot": "Let it cool down: off the charger, out of its case, its screen dark; and run again.",
    "power-cycled": "Find out why it hung: a model that takes all of its memory, its power supply, its console's log.",
    "outputs-vary": "Agreement is judged on the first run of each sample; set its limit below what varies.",
    "software-gpu": "Its times say nothing about a GPU: on the device, install the driver of its GPU.",
    "no-cache": "Free some space there: every process compiles the model again.",
    "no-lock": "Make sure that nothing else measures there now.",
    "measured-earlier": "Measure again with --fresh.",
    "newer-package": "Compare figures only with those of the same packages.",
    "other-python": "Import a system with the device's Python (edgecheck emulator import), if that matters.",
    "unsealed": "Check models that you do not trust on Linux with Landlock, or on another device.",
}


def noted(run: Run) -> Iterator[Caveat]:
    """What the target and the agent noted, each once."""
    notes = [*run.notes, *(note for worker in run.workers for note in worker.notes)]
    for note in dict.fromkeys(notes):
        sentence = note.message[:1].upper() + note.message[1:]
        yield Caveat(note.code, f"{sentence}.", _ADVICE.get(note.code, ""))
