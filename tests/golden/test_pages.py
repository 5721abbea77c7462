"""Derivations as whole pages, as a person has read them.

`pytest tests/golden --refresh-golden` writes them anew; read the difference before it is committed.
"""

from pathlib import Path

import pytest

from gradproof.gallery.catalogue import find
from gradproof.workbench import derive_source

HERE = Path(__file__).parent
GALLERY = (
    "fnn",
    "softmax_regression",
    "mlp",
    "conv2d",
    "conv2d_stride",
    "cnn",
    "max_pool",
    "rnn",
    "lstm",
    "attention",
    "multi_head_attention",
    "layer_norm",
    "batch_norm",
    "gpt_block",
    "log_det",
)
PAPERS = tuple(sorted(path.stem for path in (HERE / "papers").glob("*.py")))
EVERY = [*(f"gallery/{name}" for name in GALLERY), *PAPERS]


def page_of(name, vectors, form):
    folder, _, network = name.rpartition("/")
    source = find(network if folder else str(HERE / "papers" / f"{name}.py"))
    page = derive_source(source, {}, {})
    return (page.to_latex(vectors) if form == "latex" else page.to_text(vectors)) + "\n"


@pytest.mark.parametrize("vectors", ["row", "column"])
@pytest.mark.parametrize("form", ["text", "latex"])
@pytest.mark.parametrize("name", EVERY)
def test_a_derivation_is_the_page_that_was_read(name, vectors, form, request):
    golden = HERE / "pages" / f"{name}.{vectors}.{'tex' if form == 'latex' else 'txt'}"
    page = page_of(name, vectors, form)
    if request.config.getoption("--refresh-golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(page, encoding="utf-8")
    assert page == golden.read_text(encoding="utf-8")
