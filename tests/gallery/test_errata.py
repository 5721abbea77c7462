"""Every published mistake is refuted and named where it is made; some data hide it."""

from dataclasses import replace
from functools import cache

import pytest

from gradproof.gallery import catalogue
from gradproof.gallery.entry import HIDES, SOURCE, WRONG
from gradproof.gallery.errata_page import errata_listing, erratum_page
from gradproof.gallery.erratum import all_errata, erratum
from gradproof.judge.clinic import open_clinic
from gradproof.judge.diagnose import diagnose
from gradproof.mistakes.catalogue import MISTAKES
from gradproof.workbench import read, verify_source

ERRATA = catalogue.errata()


@cache
def verified(name, engine="numpy"):
    return verify_source(erratum(name).source, {}, engine, "float64", 0, {})


@pytest.mark.parametrize("name", ERRATA)
def test_a_published_mistake_is_refuted_at_its_own_tensor(name):
    report = verified(name)
    assert report.exit_code == 1
    rows = report.batches[-1].gradients
    refuted = [row for row in rows if row.formula_verdict.kind == "refuted"]
    own = {row.name for row in refuted if not row.formula_verdict.inherited}
    families = {broken.partition("[")[0] for broken in erratum(name).breaks}
    assert set(erratum(name).breaks) <= own
    assert {name.partition("[")[0] for name in own} == families  # a loop's other turns, too
    for row in rows:
        if row.name in erratum(name).breaks:
            found = row.formula_verdict.counter_example
            assert found is not None and found.claimed != found.true


@pytest.mark.parametrize("name", ERRATA)
def test_the_engine_is_right_where_the_published_formula_is_wrong(name):
    for row in verified(name).batches[-1].gradients:
        assert row.engine_verdict.kind == "agrees"


@pytest.mark.parametrize("name", ERRATA)
def test_nothing_is_seen_on_the_data_that_hide_it(name):
    one = erratum(name)
    *hiding, _ = verified(name).batches
    assert tuple(batch.title for batch in hiding) == one.hiding
    assert one.hiding
    for batch in hiding:
        for row in batch.gradients:
            assert row.formula_verdict.kind != "refuted"
            assert row.engine_verdict.kind in ("agrees", "undecided")
            if row.covered and row.hand is not None:
                assert row.hand == pytest.approx(row.engine, rel=0, abs=2.0**-40)


@pytest.mark.parametrize("name", ERRATA)
def test_the_mistake_is_named(name):
    one = erratum(name)
    traced, sizes = read(one.source, {}, {})
    clinic = open_clinic(traced.paper, traced.derivation, sizes)
    claims = {claim.of: claim for claim in traced.paper.claims}
    assert set(one.breaks.values()) <= {mistake.name for mistake in MISTAKES}
    for broken, mistake in one.breaks.items():
        diagnosis = diagnose(claims[broken], traced.paper, clinic)
        assert diagnosis is not None
        (found,) = diagnosis.explanations
        assert mistake in (found.mistake, *found.alike)


@pytest.mark.parametrize("name", ERRATA)
def test_it_says_its_source_what_is_wrong_and_what_hides_it(name):
    one = erratum(name)
    assert one.what.endswith(".")
    assert set(one.said) == {SOURCE, WRONG, HIDES}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", [name for name in ERRATA if not name.startswith("lstm")])
def test_other_data_refute_it_on_another_engine(name, seed):
    report = verify_source(erratum(name).source, {}, "torch", "float32", seed, {})
    kinds = {row.name: row.formula_verdict.kind for row in report.batches[-1].gradients}
    assert {kinds[broken] for broken in erratum(name).breaks} == {"refuted"}


def test_no_mistake_is_taken_for_a_network():
    assert not set(ERRATA) & set(catalogue.names())


@pytest.mark.parametrize("width", [80, 100])
def test_the_list_and_the_page_fit_their_width(width):
    lines = [line.plain for line in errata_listing(all_errata(), width)]
    assert set(ERRATA) <= set(lines)
    for name in ("rms_norm_weight_outside", "bias_gradient_not_summed"):
        page = [line.plain for line in erratum_page(erratum(name), width)]
        assert any("as published" in line and ", true" in line for line in page)
        assert page.count("The formulas as they were published") == 1
        lines += page
    assert max(map(len, lines)) <= width


def test_a_page_says_so_if_the_data_hide_nothing():
    one = erratum("rms_norm_weight_outside")
    shown = replace(one.source, samples={"generic weights": {}})
    page = [line.plain for line in erratum_page(replace(one, source=shown), 100)]
    assert "On generic weights: refuted: ∂l/∂x." in page
