"""The list of the gallery, and the page of one network."""

import pytest

from gradproof.gallery import catalogue
from gradproof.gallery.entry import HEADINGS, HIDES, SOURCE, read_docstring
from gradproof.gallery.page import listing, page


def plain(lines):
    return [line.plain for line in lines]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_list_fits_its_width_and_has_every_network_with_its_tensors(width):
    entries = catalogue.contents()
    lines = plain(listing(entries, width))
    assert max(map(len, lines)) <= width
    assert [
        name for name in catalogue.names() if not any(ln.startswith(name) for ln in lines)
    ] == []
    assert any("x n×2   W1 2×4   b1 4   W2 4×3   b2 3   y n×3" in line for line in lines)


def test_the_list_says_which_frameworks_have_layers_for_a_network():
    lines = plain(listing(catalogue.contents(), 100))
    assert next(ln for ln in lines if ln.startswith("l1")).split()[-3:] == [
        "layers",
        "layers",
        "code",
    ]


@pytest.mark.parametrize("name", catalogue.names())
def test_every_network_names_its_source_and_what_hides_mistakes_in_it(name):
    one = catalogue.describe(name)
    assert one.what.endswith(".")
    assert {SOURCE, HIDES} <= set(one.said)
    assert all(said.endswith(".") for said in one.said.values())
    assert one.formulas


@pytest.mark.parametrize("name", ["fnn", "rnn"])
def test_the_page_of_a_network_has_everything_about_it(name):
    one, source = catalogue.describe(name), catalogue.find(name)
    lines = plain(page(one, source, 100))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 100
    assert all(f"\n{heading}: " in text for heading in one.said)
    assert "  def backward(" in text
    assert "\nGradients, back to front\n" in text
    assert f"\ngradproof verify {name}\n" in text


def test_a_docstring_is_read_by_its_headings(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        '"""A net.\n\nSource: a book:\nits chapter.\nHides: nothing.\n"""\n', encoding="utf-8"
    )
    what, said = read_docstring(path)
    assert what == "A net."
    assert said == {"Source": "a book: its chapter.", "Hides": "nothing."}
    assert set(said) <= set(HEADINGS)
