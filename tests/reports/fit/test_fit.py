"""Which variant fits, in every format: the modules of `edgecheck.reports.fit`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePath

import pytest
from jsonschema import Draft202012Validator

from edgecheck.core.budget import Model, Variant
from edgecheck.core.fitting import Fit, Trial
from edgecheck.core.verdict import judge
from edgecheck.reports import Style
from edgecheck.reports.fit import FORMATS, FitReport, render_fit
from tests.builders import MIB, limit
from tests.core.fitting_worlds import PC, World, play, worlds
from tests.reports.hostile import TRICKS

BIG = World(size=2e6, agreement=1.0)
FITS = play(worlds(float32=BIG))[0]
NOTHING = play(
    worlds(float32=BIG, float16=BIG, int8_weights=World(p50=0.2), int8_dynamic=World(zeros=True), int8=World(p50=0.09))
)[0]
ELSEWHERE = play({variant: replace(world, run=PC) for variant, world in worlds().items()})[0]
TOO_SMALL = play(worlds(float32=World(ram=130 * MIB, ready=110 * MIB, agreement=0.9999999)))[0]
NOT_MADE = play(dict.fromkeys(worlds(), World(made=False, problem="keras is not installed here.")))[0]
ALL = {"fits": FITS, "nothing": NOTHING, "elsewhere": ELSEWHERE, "too small": TOO_SMALL, "not made": NOT_MADE}


def report(*fits: Fit) -> FitReport:
    return FitReport(
        fits=fits, version="0.1.0", host="Linux x86_64 ci", started="2026-01-01T00:00:00+00:00", seconds=4.5
    )


def test_a_table_the_reasons_the_answer_and_the_next_step() -> None:
    assert render_fit("terminal", report(FITS), Style(width=120)).replace("\N{EN DASH}", "-") == (
        """\
net.onnx · Raspberry Pi 4 Model B (2 GB) on ssh://pi@desk
  limit                   float32    float16      int8-weights  int8-dynamic  int8
                          fails      recommended  not tried     not tried     not tried
  size         ≤ 1.00 MB  ✘ 2.00 MB  ✔ 500 kB       -             -             -        static
  ram_peak     ≤ 100 MiB    -        ✔ 60.0 MiB     -             -             -        measured
  latency_p50  ≤ 50.0 ms    -        ✔ 10.0 ms      -             -             -        measured
  agreement                 1          0.99999      -             -             -        measured
  float32: size 2.00 MB is 100% over 1.00 MB
  int8-weights, int8-dynamic, int8: not tried, since float16 holds and loses next to nothing
float16 fits Raspberry Pi 4 Model B (2 GB): the least lossy that holds every limit (agreement 0.99999 on 16 samples).
Next: write `variants: [float16]` into b.yaml.
"""
    )


def test_what_is_in_the_way_and_where_the_limit_stands() -> None:
    text = render_fit("terminal", report(NOTHING), Style(width=200))
    assert (
        "Nothing fits Raspberry Pi 4 Model B (2 GB). The nearest is int8: latency_p50 90.0 ms is 80% over 50.0 ms "
        "(limit set at b.yaml:3)." in text
    )
    assert "int8-dynamic: output y is zero for every sample" in text


def test_what_no_conversion_changes() -> None:
    text = render_fit("terminal", report(TOO_SMALL), Style(width=400))
    assert "No variant can hold ram_peak ≤ 100 MiB: the runtime alone takes 110 MiB, without a model." in text


def test_where_nothing_can_be_decided() -> None:
    text = render_fit("terminal", report(ELSEWHERE), Style(width=300))
    assert "Undecided for Raspberry Pi 4 Model B (2 GB). float32: no variant can be decided here: measured on" in text
    step = "name its profile with --device, or save one: edgecheck devices probe --save my-board ssh://pi@desk"
    assert text.endswith(f"Next: ssh://pi@desk is not a Raspberry Pi 4 Model B (2 GB): {step}\n")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("name", ALL)
def test_a_narrow_terminal_loses_no_figure(name: str, width: int) -> None:
    wide = render_fit("terminal", report(ALL[name]), Style(width=300))
    narrow = render_fit("terminal", report(ALL[name]), Style(width=width))
    assert all(len(line) <= width for line in narrow.splitlines())
    for word in ("float16", "not tried", "2.00 MB", "latency_p50", "0.999"):
        assert (word in " ".join(narrow.split())) == (word in wide), word


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("fits",), 0),
        (("fits", "nothing"), 1),
        (("elsewhere", "fits"), 3),
        (("elsewhere", "nothing"), 1),
        (("not made",), 3),
        ((), 3),
    ],
)
def test_the_exit_code(names: tuple[str, ...], code: int) -> None:
    assert report(*(ALL[name] for name in names)).exit_code == code


@pytest.mark.parametrize("name", ALL)
def test_json_is_as_its_schema_says(name: str) -> None:
    schema = Path(__file__).parents[3] / "edgecheck" / "reports" / "fit-1.schema.json"
    document = json.loads(render_fit("json", report(ALL[name])))
    Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(document)
    (fit,) = document["fits"]
    named = [each["variant"] for each in fit["others"]]
    assert sorted([fit["nearest"], *named]) == sorted(str(variant) for variant in worlds())


@pytest.mark.parametrize("name", ALL)
def test_markdown_has_a_cell_for_each_variant_and_limit(name: str) -> None:
    text = render_fit("markdown", report(ALL[name]))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {9}
    assert text.startswith("<!-- edgecheck fit -->\n")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("hostile", TRICKS)
def test_a_hostile_name_stays_a_name(form: str, hostile: str) -> None:
    def named(trial: Trial) -> Trial:
        budget = replace(trial.result.budget, model=Model(PurePath(hostile)))
        return replace(trial, result=replace(trial.result, budget=budget, problem=hostile))

    fit = replace(NOT_MADE, trials=tuple(map(named, NOT_MADE.trials)))
    text = render_fit(form, report(fit), Style(width=120))
    assert "\x1b" not in text
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    if form == "markdown":
        assert "<script" not in text
        assert "](" not in text.replace("\\]", "")
    text.encode()


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b[" in render_fit("terminal", report(FITS), Style(width=120, color=True))
    assert "\x1b[" not in render_fit("terminal", report(FITS), Style(width=120))


def test_a_pruned_recommendation_is_written_as_the_budget_takes_it() -> None:
    pruned = Variant("int8", 0.5)
    fit, _ = play({pruned: World()})
    assert "Next: write `variants: [{variant: int8, prune: 0.5}]` into b.yaml." in render_fit(
        "terminal", report(fit), Style(width=120)
    )


def changed(fit: Fit, **changes: object) -> Fit:
    """With every result's budget changed."""

    def of(trial: Trial) -> Trial:
        budget = replace(trial.result.budget, **changes)  # type: ignore[arg-type]
        return replace(trial, result=replace(trial.result, budget=budget))

    return replace(fit, trials=tuple(map(of, fit.trials)))


def last_line(fit: Fit) -> str:
    return render_fit("terminal", report(fit), Style(width=200)).splitlines()[-1]


def test_without_a_budget_the_next_step_is_a_command() -> None:
    samples = changed(FITS, path="", samples=PurePath("my faces.npz"), model=Model(PurePath("a model.onnx")))
    assert last_line(samples) == (
        "Next: edgecheck convert 'a model.onnx' --variant float16 --format onnx --samples 'my faces.npz'"
    )
    pruned, _ = play({Variant("int8", 0.5): World()})
    assert " --variant int8 --prune 0.5 --format onnx" in last_line(changed(pruned, path=""))
    as_it_is, _ = play({Variant("as-is"): World()})
    assert last_line(changed(as_it_is, path="")) == "Next: ship it as it is."
    text = render_fit("terminal", report(as_it_is), Style(width=200))
    assert "as-is fits Raspberry Pi 4 Model B (2 GB): it holds every limit as it is." in text
    assert "1 (itself)" not in text, "it was compared here, so its figure stands"


def test_nothing_that_could_be_converted_says_how_to_go_on() -> None:
    hinted = replace(
        NOT_MADE,
        trials=tuple(
            replace(trial, result=replace(trial.result, hint="pip install 'edgecheck-ml[tensorflow]'"))
            for trial in NOT_MADE.trials
        ),
    )
    assert last_line(hinted) == "Next: pip install 'edgecheck-ml[tensorflow]'"
    assert "float32: could not be converted: keras is not installed here." in render_fit(
        "terminal", report(NOT_MADE), Style(width=200)
    )


def test_random_inputs_are_a_doubt() -> None:
    """Agreement on what nobody will show to the model says little, and every format says so."""
    (trial, *_) = FITS.trials
    found = trial.result.findings or {}
    seeded = replace(found["agreement"], basis="16 random samples, seeded")  # type: ignore[arg-type]
    random = replace(trial, result=replace(trial.result, findings={**found, "agreement": seeded}))
    fit = replace(FITS, trials=(random, *FITS.trials[1:]))
    for form in ("terminal", "markdown"):
        assert "Agreement was measured on random inputs" in render_fit(form, report(fit), Style(width=120))
        assert "Agreement was measured on random inputs" not in render_fit(form, report(FITS), Style(width=120))


def test_a_quantised_file_needs_the_model_that_it_was_made_from() -> None:
    alone, _ = play({Variant("as-is"): World(size=2e6, agreement=None)})
    assert last_line(alone).startswith("Next: pass the model that this file was made from, ")
    assert "1 (itself)" in render_fit("terminal", report(alone), Style(width=200))


def test_a_limit_that_only_warns_is_shown_and_named() -> None:
    warned = limit("size", None, 100_000)
    (trial,) = play({Variant("int8"): World()})[0].trials
    verdict = judge(warned, (trial.result.findings or {})["size"])
    device = trial.result.profile
    budget = replace(trial.result.budget, devices=((device, (warned,)),))
    fit = Fit((replace(trial, result=replace(trial.result, budget=budget, verdicts=(verdict,))),), ())
    text = render_fit("terminal", report(fit), Style(width=200))
    assert "size       ≤ 100 kB  ! 500 kB" in text
    assert "(agreement 0.999 on 16 samples; with a warning of size)" in text
