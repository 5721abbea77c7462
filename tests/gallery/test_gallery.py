"""Every network of the gallery derives and holds, in every dtype; a new file is found by itself."""

from collections import defaultdict

import pytest

from gradproof.gallery import catalogue
from gradproof.workbench import Study, derive_source, verify_source

STUDIES: defaultdict[str, dict[str, Study]] = defaultdict(dict)
"""Each network is read and proved once, and judged on every engine."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", catalogue.names())
def test_a_network_of_the_gallery_holds(name, dtype):
    source = catalogue.find(name)
    report = verify_source(source, {}, "numpy", dtype, 0, {}, studies=STUDIES[name])
    assert report.exit_code == 0


FRAMEWORKS = ("tensorflow", "torch", "jax")
TURNS = [
    (name, engine, ("float32", "float64")[(number + place) % 2])
    for number, name in enumerate(catalogue.names())
    for place, engine in enumerate(FRAMEWORKS)
]
"""Each network on each framework, in the one dtype and the other in turn: `benchmarks/gallery.py`
runs all of them in both."""


@pytest.mark.parametrize(("name", "engine", "dtype"), TURNS)
def test_a_network_and_its_layers_hold_on_every_framework(name, engine, dtype):
    source = catalogue.find(name)
    report = verify_source(source, {}, engine, dtype, 1, {}, studies=STUDIES[name])
    assert report.exit_code == 0
    rows = [*report.batches[0].forward, *report.batches[0].gradients]
    layers = [row.native_verdict for row in rows if row.native_verdict is not None]
    assert bool(layers) == (engine in source.native)
    assert {verdict.kind for verdict in layers} <= {"agrees"}


@pytest.mark.parametrize("name", catalogue.names())
@pytest.mark.parametrize("vectors", ["row", "column"])
def test_a_network_of_the_gallery_is_written(name, vectors):
    page = derive_source(catalogue.find(name), {}, {})
    lines = page.to_text(vectors).partition("Gradients")[2]
    for step in page.derivation.steps:  # a loop's turns stand once
        family = step.equation.target.partition("[")[0]
        assert f"\n  {family}" in lines


def test_a_file_with_a_forward_is_a_network_and_another_is_not(tmp_path, monkeypatch):
    (tmp_path / "new.py").write_text(
        '"""A new one."""\n\n\ndef forward(x: "n"):\n    return x.sum()\n'
    )
    (tmp_path / "data.py").write_text("SAMPLES = {}\n")
    monkeypatch.setattr(catalogue, "_HERE", tmp_path)
    assert catalogue.names() == ("new",)
