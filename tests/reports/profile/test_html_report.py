"""The profile as a page, and its picture."""

from __future__ import annotations

import itertools
import re

from edgecheck.core.operator_groups import By
from edgecheck.reports.profile import html_report
from tests.core.operator_profiles import operator, profile
from tests.reports.hostile import STEERING, TRICKS
from tests.reports.profile.profiles import NEW, grown, report


def test_the_picture_is_to_scale_and_nests() -> None:
    picture = html_report.flame(NEW)
    by_words = {block.words.partition(":")[0]: block for block in picture.blocks}
    whole, stem = by_words["one inference"], by_words["stem"]
    assert (whole.x, whole.width) == (0.0, html_report.WIDTH)
    assert stem.operator == 0
    layers = [block for block in picture.blocks if block.look == "layer"]
    assert {block.words.partition(":")[0] for block in layers} == {"one inference", "backbone", "stem", "head"}
    outer, inner = by_words["choice"], by_words["inner"]
    assert inner.y == outer.y + html_report.ROW
    assert outer.x <= inner.x
    assert inner.x + inner.width <= outer.x + outer.width + 0.1
    for row in {block.y for block in picture.blocks}:
        blocks = sorted((b.x, b.width) for b in picture.blocks if b.y == row)
        assert all(a + b <= c + 0.1 for (a, b), (c, _) in itertools.pairwise(blocks))
    assert picture.left_out == 1  # `cast` is too narrow


def test_an_empty_profile_has_a_picture() -> None:
    assert html_report.flame(profile(whole=0.0)).blocks == ()
    assert "no operators" in html_report.render(report(profile(whole=0.0)))


def test_many_operators_have_a_bounded_picture() -> None:
    picture = html_report.flame(profile(*(operator(f"o{at}", 0.003) for at in range(3000))))
    assert len(picture.blocks) < 3000
    assert picture.left_out + sum(block.operator >= 0 for block in picture.blocks) == 3000


def test_every_block_leads_to_its_row_and_says_what_it_is() -> None:
    page = html_report.render(report())
    links = re.findall(r'<a href="#(operator-\d+)" aria-label="(.*?)">', page)
    assert len(links) == 4
    rows = set(re.findall(r'<tr id="(operator-\d+)">', page))
    assert rows == {f"operator-{at}" for at in range(5)}
    assert {anchor for anchor, _ in links} <= rows
    for anchor, words in links:
        name = NEW.operators[int(anchor.rpartition("-")[2])].name
        assert words.startswith(f"{name}: ")
        row = page.split(f'<tr id="{anchor}">')[1].split("</tr>")[0]
        assert f">{name}</th>" in row


def test_the_page_fetches_nothing_and_has_no_script() -> None:
    page = html_report.render(grown())
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "What grew" in page
    assert "appeared" in page


def test_by_layer_no_block_is_a_link() -> None:
    page = html_report.render(report(by=By.LAYER))
    assert "<a href" not in page
    assert "Every layer" in page


def test_hostile_names_are_text() -> None:
    hostile = profile(
        *(operator(name, 1.0, type=name, layer=name, parts=(name, name)) for name in TRICKS), notes=TRICKS
    )
    page = html_report.render(report(hostile, model=TRICKS[0], device=TRICKS[1]))
    assert "<script" not in page
    assert "<img" not in page
    assert not STEERING & set(page)
