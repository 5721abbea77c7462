"""Every sentence that the code says is there in every language, and none that it does not say."""

import ast
import copy
import json
import pickle
import string
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import gradproof
from gradproof.core.errors import DataError
from gradproof.core.told import told, told_list
from gradproof.gallery import catalogue
from gradproof.gallery.entry import SOURCE, read_docstring
from gradproof.mistakes.catalogue import MISTAKES
from gradproof.words import LANGUAGES, in_language, language, listed, say
from gradproof.words.say import ENGLISH, translations

OTHERS = [lang for lang in LANGUAGES if lang != ENGLISH]
WORDS = ("gradproof.words", "gradproof.core.told")
SAYING = {"say", "sentence", "told"}
HOMES = ("words/say.py", "core/told.py")
"""The files that define these, and say something themselves."""


def templates_of(source: str, own: Set[str] = frozenset()) -> set[str]:
    """The literal first arguments of calls of gradproof's own `say`, `sentence` and `told`."""
    tree = ast.parse(source)
    saying = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(WORDS)
        for name in node.names
        if name.name in SAYING
    }
    saying |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef)} & own
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in saying and node.args and isinstance(node.args[0], ast.Constant)
    }


@cache
def templates() -> dict[str, str]:
    """Each template that gradproof says, with the file that says it."""
    root = Path(gradproof.__file__).parent
    said = {
        template: str(path.relative_to(root))
        for path in sorted(root.rglob("*.py"))
        for template in templates_of(
            path.read_text(encoding="utf-8"),
            SAYING if str(path.relative_to(root)) in HOMES else frozenset(),
        )
    }
    pages = {
        template: str(path.relative_to(root))
        for path in sorted(root.rglob("templates/*.html"))
        for template in templates_of_page(path.read_text(encoding="utf-8"))
    }
    return {**said, **pages, **dict.fromkeys(told_elsewhere())}


def templates_of_page(source: str) -> Iterator[str]:
    """The literal first arguments of calls of `say` in a template of a page."""
    for call in Environment().parse(source).find_all(nodes.Call):
        said = call.args[0] if call.args else None
        if call.node == nodes.Name("say", "load") and isinstance(said, nodes.Const):
            yield said.value


def told_elsewhere() -> Iterator[str]:
    """What is said of records: mistakes and their sentences, and titles of the gallery's data."""
    for mistake in MISTAKES:
        yield from (mistake.name, mistake.words)
    for name in (*catalogue.names(), *catalogue.errata()):
        what, said = read_docstring(catalogue.path_of(name))
        # Where a network comes from is cited as it is.
        yield from (what, *(text for heading, text in said.items() if heading != SOURCE))
        yield from catalogue.find(name).samples


def slots(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def sentences(lang: str) -> dict[str, str]:
    return {key: text for table in translations(lang).values() for key, text in table.items()}


def test_templates_are_found_wherever_they_are_said():
    said = 'TITLE = sentence("A title")\nsay("One {a}, " "two", lang, a=1)\nsay(TITLE, lang)'
    source = f"from gradproof.words import say, sentence\n{said}"
    assert templates_of(source) == {"A title", "One {a}, two"}
    assert templates_of(said) == set(), "another module's function of this name"
    assert "{before} and {last}" in templates()


@pytest.mark.parametrize("lang", OTHERS)
def test_no_sentence_is_missing(lang):
    known = sentences(lang)
    missing = [f"{where}: {text!r}" for text, where in templates().items() if text not in known]
    assert not missing, f"{lang}.toml lacks\n" + "\n".join(missing)


@pytest.mark.parametrize("lang", OTHERS)
def test_no_sentence_is_left_that_nobody_says(lang):
    said = templates()
    assert [text for text in sentences(lang) if text not in said] == []


@pytest.mark.parametrize("lang", OTHERS)
def test_a_sentence_stands_in_one_table_only(lang):
    counted = Counter(key for table in translations(lang).values() for key in table)
    assert [key for key, number in counted.items() if number > 1] == []


@pytest.mark.parametrize("lang", OTHERS)
def test_a_translation_has_the_slots_of_its_sentence(lang):
    differing = [key for key, text in sentences(lang).items() if slots(key) != slots(text)]
    assert differing == []


def test_each_slot_of_a_sentence_has_one_format():
    for template in templates():
        formats = {}
        for _, name, *form in string.Formatter().parse(template):
            assert name is None or formats.setdefault(name, form) == form, template


def test_english_is_the_key_and_the_answer_where_a_language_lacks_it():
    assert say("{a} is here.", a="x") == "x is here."
    assert say("Nobody says {a}.", "zh", a="x") == "Nobody says x."


def test_a_list_is_said_as_the_language_has_it():
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c"], "zh") == "a、b 和 c"
    assert (
        listed([told("twice the gradient"), told("the wrong sign")], "zh")
        == "两倍的梯度和错误的符号"
    )
    assert listed([told("the wrong sign"), "b"], "zh") == "错误的符号和 b"


def test_an_unknown_language_is_an_error_that_names_those_there_are():
    with pytest.raises(DataError, match="en, zh, not xx"):
        say("{a}", "xx", a=1)
    with pytest.raises(DataError, match="en, zh, not xx"):
        language("xx")


def test_the_language_is_the_one_asked_for_or_the_environments(monkeypatch):
    monkeypatch.delenv("GRADPROOF_LANG", raising=False)
    assert language() == "en"
    monkeypatch.setenv("GRADPROOF_LANG", "zh")
    assert (language(), language("en")) == ("zh", "en")


LISTED = told_list(["a", told_list(["b", "c"])])


def test_a_sentence_that_was_told_is_a_string_like_any_other():
    said = told("{claim} is {share:.1f} of {all!r}.", claim="W", share=0.25, all="x")
    assert said == "W is 0.2 of 'x'." and hash(said) == hash(str(said))
    assert {said: 1}[str(said)] == 1
    assert json.dumps([said]) == "[\"W is 0.2 of 'x'.\"]"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_sentence_that_was_told_survives_a_copy(copied):
    assert in_language(copied(LISTED), "zh") == "a 和 b 和 c"
    assert in_language(asdict(Told(LISTED, ()))["one"], "zh") == "a 和 b 和 c"


@dataclass(frozen=True, slots=True)
class Told:
    one: str
    more: tuple[object, ...]


def test_data_is_said_in_a_language_as_a_whole_and_left_as_it_was():
    data = Told(LISTED, ("plain", {"key": [LISTED]}, 3))
    said = in_language(data, "zh")
    assert said == Told("a 和 b 和 c", ("plain", {"key": ["a 和 b 和 c"]}, 3))
    assert data.one == "a and b and c"
    assert in_language(data, "en") is data


def test_a_number_is_formatted_once_for_every_language():
    assert say("{before:.2f} and {last}", "zh", before=1.0, last="x") == "1.00 and x"
    one = told("{share:.2f}", share=0.5)
    assert in_language(told("{before} and {last}", before=one, last=2), "zh") == "0.50 和 2"


def test_a_slot_has_one_format():
    with pytest.raises(ValueError, match="share"):
        told("{share:.2f} or {share:.3f}", share=0.123)
