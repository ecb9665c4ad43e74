"""A sustained run: inferences without a pause for minutes, with clock, temperature and throttling every few seconds."""

import gc
import math
from typing import Any, Dict, List

from edgecheck_agent import device_state, events, refusals, timing

# Between two readings of the device's state.
PERIOD_S = 5.0


def sustain(turns: timing.Turns, plan: Dict[str, Any], report: events.Report) -> None:
    """Run inferences for `sustained_s` seconds and send their latencies, with a `state` event after each period.

    Of a model so quick that `max_count` would be exceeded, only one inference in several is timed; the others keep the
    processor as busy.
    """
    clock, second = timing.CLOCK, timing.PER_SECOND
    gc.collect()
    gc.disable()
    timing.warm_up(turns, plan)
    begun = clock()
    end = begun + plan["sustained_s"] * second
    skip = count = 0
    report.send("state", at_s=0.0, n=0, **device_state.passing())
    while clock() < end:
        values = _period(turns, min(end, clock() + PERIOD_S * second), skip)
        count += len(values)
        report.send("latencies", values_ns=[round(value * timing.NANOSECONDS) for value in values], waits_ns=[])
        report.send("state", at_s=(clock() - begun) / second, n=count, **device_state.passing())
        if not skip:
            skip = math.ceil(len(values) * plan["sustained_s"] / PERIOD_S / plan["max_count"]) - 1
    gc.enable()


def _period(turns: timing.Turns, until: float, skip: int) -> List[float]:
    """Time inferences, at least one, until a moment of the clock; before each one, `skip` others run untimed."""
    clock, run = timing.CLOCK, turns.model.invoke
    values: List[float] = []
    with refusals.translated(turns.advice):
        run()  # untimed: reading the state has cooled the caches
        while True:
            for _ in range(skip):
                run()
            start = clock()
            run()
            stop = clock()
            values.append(stop - start)
            turns.next()
            if stop >= until:
                return values
