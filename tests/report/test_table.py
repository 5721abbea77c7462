"""Tables that fit: nothing is cut, nothing is wider than the terminal."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from gradproof.report.table import Column, Row, Table, lay_out, wrapped

COLUMNS = (Column("gradient"), Column("derived"), Column("NumPy", "right"), Column("engine"))


def table(*rows):
    made = [Row(tuple(map(Text, cells)), tuple(map(Text, below))) for cells, below in rows]
    return Table("Gradients", COLUMNS, tuple(made))


def plain(lines):
    return [line.plain for line in lines]


WIDE = table((("∂l/∂W", "xᵀ ∂l/∂z", "0.5", "agrees"), ()))


def test_a_table_that_fits_is_a_table():
    assert plain(lay_out(WIDE, 60)) == [
        "Gradients",
        "gradient  derived   NumPy  engine",
        "∂l/∂W     xᵀ ∂l/∂z    0.5  agrees",
    ]


def test_a_narrow_one_is_a_list_of_equations():
    assert plain(lay_out(WIDE, 32)) == [
        "Gradients",
        "    NumPy  engine",
        "∂l/∂W = xᵀ ∂l/∂z",
        "      0.5  agrees",
    ]


def test_a_second_formula_stands_below_the_first():
    lines = plain(lay_out(table((("a", "b c", "1", "agrees"), ("yours: c b",))), 60))
    assert lines[2:] == ["a         b c          1  agrees", "          yours: c b"]


WORDS = st.lists(st.sampled_from(["A", "⊙", "∂l/∂z[1]", "Σ_n", "(x", "−", "y)"]), max_size=40)


@settings(derandomize=True, max_examples=300, deadline=None, database=None)
@given(formulas=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3))
def test_no_line_is_wider_and_no_word_is_lost(formulas):
    rows = [(("∂l/∂a", " ".join(one), "0.5", "agrees"), (" ".join(two),)) for one, two in formulas]
    for width in (48, 80, 100):
        lines = plain(lay_out(table(*rows), width))
        assert max(map(len, lines)) <= width
        printed = " ".join(lines).split()
        for one, two in formulas:
            for word in (*one, *two):
                assert printed.count(word) >= sum((*a, *b).count(word) for a, b in formulas)


def test_wrapping_breaks_between_words_alone():
    assert plain(wrapped(Text("aa bb cc"), 5)) == ["aa bb", "  cc"]
    assert plain(wrapped(Text("aaaaaaaa b"), 5)) == ["aaaaaaaa", "  b"]
