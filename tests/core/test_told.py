"""Messages that remember their sentences, and can be said again in another language."""

from gradproof.core.errors import Place, ShapeError
from gradproof.core.told import told, told_all, told_list
from gradproof.words import in_language


def test_an_error_is_said_with_its_place_and_advice_in_a_language():
    why = told_list(["x", "W"])
    problem = ShapeError(why, advice="Try x @ W.T", place=Place("net.py", 7, "h = x @ W"))
    assert str(problem) == problem.said == "net.py:7  h = x @ W\nx and W  Try x @ W.T"
    assert in_language(problem.said, "zh") == "net.py:7  h = x @ W\nx 和 W  Try x @ W.T"


def test_braces_in_what_is_quoted_are_no_slots():
    place = Place("net.py", 7, "h = {'x': 1}")
    assert str(ShapeError(told("{what}", what="{x}"), place=place)).endswith("\n{x}")


def test_sentences_stand_one_after_the_other_without_blanks_in_chinese():
    assert told_all(["One.", "Two.", "Three."]) == "One. Two. Three."
    assert in_language(told_all(["一。", "二。"]), "zh") == "一。二。"
    assert told_all([]) == ""
