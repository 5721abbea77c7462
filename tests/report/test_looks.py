"""The page in the conventions that `derive` has: the same equations, and names that agree."""

import json
import shlex

import pytest
from selenium.webdriver.common.by import By

from gradproof.cli import main
from gradproof.core.errors import DataError, NotYet
from gradproof.gallery.catalogue import find
from gradproof.report.looks import Looks
from gradproof.report.page import page
from gradproof.words import in_language
from gradproof.workbench import derive_source
from tests.browsing import documented, opened, requests_of
from tests.report.test_page import WRONG

CHOSEN = {
    "jacobian": Looks(layout="jacobian"),
    "delta": Looks(vectors="column", gradient="delta"),
    "raised": Looks(layers="superscript", gradient="bar"),
    "index": Looks(style="index"),
    "one": Looks(one="n"),
}


@pytest.fixture(scope="module", params=CHOSEN)
def chosen(request):
    looks = CHOSEN[request.param]
    return looks, documented(find("fnn"), looks=looks, command="gradproof")


def test_its_equations_are_those_that_derive_prints(chosen):
    looks, document = chosen
    derived = derive_source(
        find("fnn"), {}, {}, looks.gradient, looks.layout, looks.layers, looks.one
    )
    printed = derived.to_text(looks.vectors, style=looks.style)
    for card in (*document.forward, *document.gradients):
        assert f"  {card.formulas[-1].text} " in printed
        assert f" {card.shape}" in printed
    steps = derived.to_text(looks.vectors, style=looks.style, detail="steps")
    for card in document.gradients:
        for line in (*(one for way in card.steps.ways for one in way.lines), *card.steps.closing):
            assert line.proved
            assert line.text.partition(" = ")[2] in steps


def test_nothing_else_changes(chosen):
    looks, document = chosen
    plain = documented(find("fnn"), sizes={"n": 1} if looks.one else None, command="gradproof")
    assert document.exit_code == plain.exit_code == 0
    others = {card.name: card for card in plain.gradients}
    for mine in document.gradients:
        other = others.pop(mine.name)
        assert mine.kind == other.kind
        assert mine.trials[-1].true == other.trials[-1].true
        assert looks.one or mine.numpy == other.numpy
    assert not others


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    path = tmp_path_factory.mktemp("looks") / "wrong.py"
    path.write_text(WRONG.replace("a1.T @ dl_dz2", "a1.T @ dl_dz2 / 2"), encoding="utf-8")
    return path


def test_sentences_have_the_names_of_the_page(wrong):
    looks = Looks(layers="superscript", gradient="delta")
    document = in_language(documented(find(str(wrong)), looks=looks), "zh")
    said = json.dumps(json.loads(document.to_json()), ensure_ascii=False)
    for card in json.loads(said)["gradients"]:
        card.pop("numpy")  # it has the names of the code
        assert "∂l/∂" not in json.dumps(card, ensure_ascii=False)
    (inherited,) = (card for card in document.gradients if card.inherited)
    assert inherited.trials[0].why == ("改正 δz⁽¹⁾ 之后，这个公式可证明成立。",)
    assert "δz⁽²⁾" in document.proofs[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_says_how_it_is_written(browser, chosen, tmp_path, lang):
    looks, document = chosen
    path = tmp_path / "page.html"
    path.write_text(page(document, lang), encoding="utf-8")
    opened(browser, path)
    assert browser.get_log("browser") == []
    found = browser.find_elements(By.ID, "conventions")
    assert bool(found) == (looks.vectors == "column" or looks.layout == "jacobian")
    if found:
        assert {"en": "In ", "zh": "向量约定。"}[lang] in found[0].text
        rows = found[0].find_elements(By.CSS_SELECTOR, "tbody tr")
        assert [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows] == [
            [one.code, one.page, one.link] for one in in_language(document, lang).apart
        ]
    small = "return [...document.querySelectorAll('math, svg text')].filter(m => {"
    small += "const b = m.getBoundingClientRect(); return b.width < 3 || b.height < 3}).length"
    assert browser.execute_script(small) == 0


def test_the_command_on_the_page_makes_it_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "report affine -o page.html --engine numpy --layout jacobian --gradient bar"
    main([*words.split(), "--layers", "superscript", "--convention", "column", "--lang", "zh"])
    first = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = first.partition('<script type="application/json" id="document">')[2]
    command = json.loads(data.partition("</script>")[0])["command"]
    (tmp_path / "page.html").unlink()
    main(shlex.split(command)[1:])
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == first


def test_what_has_no_such_page_is_refused():
    with pytest.raises(DataError, match="The layout is gradient or jacobian, not both"):
        documented(find("affine"), looks=Looks(layout="both"))
    with pytest.raises(NotYet, match="would keep that of n, over one element"):
        documented(find("cnn"), looks=Looks(one="n"))


def test_equations_are_a_page_that_is_quiet_and_alone(browser, tmp_path, capsys):
    path = tmp_path / "equations.html"
    main(["derive", "attention", "--format", "html", "--lang", "zh", "--convention", "column"])
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    opened(browser, path)
    assert browser.get_log("browser") == []
    assert requests_of(browser) == [path.as_uri()]
    assert browser.execute_script("return document.fonts.check('16px \"STIX Two Math subset\"')")
    small = "return [...document.querySelectorAll('math')].filter(m => {"
    small += "const b = m.getBoundingClientRect(); return b.width < 3 || b.height < 3}).length"
    assert browser.execute_script(small) == 0
    wide = browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert wide
