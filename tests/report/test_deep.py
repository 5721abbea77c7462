"""The page of a deep network is small enough, and has every gradient when it is open.

How long it takes to open is measured by `benchmarks/page.py`; here no time is tested.
"""

import importlib.util
from pathlib import Path

import pytest

from tests.browsing import opened

FILE = Path(__file__).parents[2] / "benchmarks" / "page.py"

MOST = 5e6
"""Bytes of a page of 200 layers."""

FEW, MORE, ALL = 16, 32, 200
"""Layers: both pages have their steps packed, as that of 200 has."""


def loaded():
    found = importlib.util.spec_from_file_location("page_benchmark", FILE)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    return {layers: loaded().written(layers, folder) for layers in (FEW, MORE)}


def test_a_page_of_200_layers_is_small_enough(pages):
    """A page grows by as much for each layer, as it is made of a card for each gradient."""
    few, more = (pages[layers].stat().st_size for layers in (FEW, MORE))
    each = (more - few) / (MORE - FEW)
    assert more + each * (ALL - MORE) < MOST


def test_each_gradient_of_a_deep_page_is_there_with_its_buttons(browser, pages):
    opened(browser, pages[MORE])
    count = "return document.querySelectorAll(arguments[0]).length"
    cards = 4 * MORE + 1  # of W, b, z and a of each layer, and of x
    assert browser.execute_script(count, "#gradients .card") == cards
    assert browser.execute_script(count, "#gradients button[data-form=numpy]") == cards
    assert browser.execute_script(count, "#gradients .card details.steps .packed") == cards
    assert browser.get_log("browser") == []
