"""The steps of derivations as whole pages, as a teacher has read them.

`pytest tests/golden --refresh-golden` writes them anew; read the difference before it is committed.
"""

from pathlib import Path

import pytest

from gradproof.gallery.catalogue import find
from gradproof.workbench import derive_source

HERE = Path(__file__).parent
PAGES = [
    ("fnn", "row", "full", "matrix", "en"),
    ("fnn", "row", "full", "matrix", "zh"),
    ("fnn", "column", "steps", "matrix", "zh"),
    ("fnn", "row", "steps", "index", "en"),
    ("rnn", "row", "steps", "matrix", "en"),
    ("rnn", "row", "steps", "matrix", "zh"),
    ("multi_head_attention", "row", "steps", "matrix", "en"),
    ("layer_norm", "row", "steps", "matrix", "en"),
    ("one_sample", "column", "full", "matrix", "en"),
]
JACOBIANS = [
    ("fnn", "column", "steps", "matrix", "en"),
    ("fnn", "row", "full", "matrix", "zh"),
    ("multi_head_attention", "row", "steps", "matrix", "en"),
]


@pytest.mark.parametrize(("network", "vectors", "detail", "style", "lang"), PAGES)
def test_the_steps_are_the_page_that_was_read(network, vectors, detail, style, lang, request):
    compared((network, vectors, detail, style, lang), "gradient", request)


@pytest.mark.parametrize(("network", "vectors", "detail", "style", "lang"), JACOBIANS)
def test_the_steps_to_jacobians_are_the_page_that_was_read(
    network, vectors, detail, style, lang, request
):
    compared((network, vectors, detail, style, lang), "jacobian", request)


def compared(words, layout, request):
    network, vectors, detail, style, lang = words
    paper = HERE / "papers" / f"{network}.py"
    source = find(str(paper) if paper.exists() else network)
    page = derive_source(source, {}, {}, layout=layout)
    written = page.to_text(vectors, detail=detail, style=style, lang=lang) + "\n"
    words = words if layout == "gradient" else (*words[:-1], layout, lang)
    golden = HERE / "steps" / f"{'.'.join(words)}.txt"
    if request.config.getoption("--refresh-golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")
