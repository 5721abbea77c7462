"""The pages of networks of every kind, in both languages, in a real browser."""

import json
from base64 import b64decode

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from gradproof.gallery.catalogue import find
from gradproof.report import page as page_module
from gradproof.report.page import page
from gradproof.words import in_language
from tests.browsing import documented, opened, requests_of

NETWORKS = {"fnn": {}, "cnn": {}, "rnn": {"T": 4}, "lstm": {"T": 4}, "attention": {}}
"""With the numbers of turns that are enough for what a loop's page has."""

HOLDS = {"en": "All hold", "zh": "全部成立"}
COPIED = {"en": "Copied", "zh": "已复制"}

OPENED = "document.querySelectorAll('#gradients details').forEach(one => one.open = true)"
CLOSED = "document.querySelectorAll('#gradients details').forEach(one => one.open = false)"
LAID_OUT = (
    "for (const c of document.querySelectorAll('.card')) c.style.contentVisibility = 'visible'"
)
BOXES = (
    "return [...document.querySelectorAll('math')].map("
    "m => m.getBoundingClientRect()).filter(b => b.width < 3 || b.height < 3).length"
)
CLIPPED = (
    "const cut = one => { const box = one.getBoundingClientRect();"
    "const scrolls = one.closest('.scroll, .formula, .steps');"
    "return scrolls ? box.left < scrolls.getBoundingClientRect().left - 1"
    " : box.left < 0 || box.right > innerWidth + 1 };"
    "return [...document.querySelectorAll('math, button, .chip, summary, p')].filter(cut)"
    ".map(one => one.outerHTML.slice(0, 300))"
)
"""What is cut off: beyond the window, or before the start of what can be scrolled."""

BACKGROUND = "return getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module", params=NETWORKS)
def document(request):
    return documented(find(request.param), NETWORKS[request.param], command="gradproof")


@pytest.fixture(scope="module", params=["en", "zh"])
def shown(request, document, browser, tmp_path_factory):
    """A page that is open in the browser, its document and its language."""
    path = tmp_path_factory.mktemp("page") / f"{document.network}.{request.param}.html"
    path.write_text(page(document, request.param), encoding="utf-8")
    opened(browser, path)
    return path, document, request.param


def test_the_page_is_quiet_and_alone(browser, shown):
    path, document, lang = shown
    assert requests_of(browser) == [path.as_uri()]
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.lang") == lang
    assert browser.find_element(By.CSS_SELECTOR, ".verdict").text == HOLDS[lang]
    cards = browser.find_elements(By.CSS_SELECTOR, "#gradients .card")
    assert [card.get_attribute("id") for card in cards] == [c.key for c in document.gradients]


def test_every_formula_and_every_step_has_a_size_and_nothing_is_cut_off(browser, shown):
    _, document, _ = shown
    browser.execute_script(LAID_OUT)
    browser.execute_script(OPENED)
    steps = [card.steps for card in document.gradients]
    lines = sum(len([*s.closing, *(one for way in s.ways for one in way.lines)]) for s in steps)
    rows = "return document.querySelectorAll('table.steps tr').length"
    WebDriverWait(browser, 5).until(lambda _: browser.execute_script(rows) == lines)
    assert browser.execute_script("return document.querySelectorAll('math').length") > lines
    assert browser.execute_script(BOXES) == 0
    assert browser.execute_script(CLIPPED) == []


def test_the_buttons_copy_what_stands_there(browser, shown):
    _, document, lang = shown
    browser.execute_script(
        "window.copied = []; navigator.clipboard.writeText ="
        " text => { window.copied.push(text); return Promise.resolve(); }"
    )
    last = document.gradients[-1]
    for button in browser.find_elements(By.CSS_SELECTOR, f"#{last.key} button.copy"):
        browser.execute_script(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button
        )
        button.click()
    assert browser.find_element(By.ID, "told").text == COPIED[lang]
    formula = last.formulas[-1]
    code = in_language(last, lang).numpy
    assert code and (lang == "en" or "# Given" not in code)
    assert browser.execute_script("return window.copied") == [formula.latex, formula.text, code]


def test_dark_and_light_the_keyboard_and_paper(browser, shown):
    before = browser.execute_script(BACKGROUND)
    theme = browser.find_element(By.ID, "theme")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", theme)
    theme.click()
    assert browser.execute_script(BACKGROUND) != before
    theme.send_keys(Keys.ENTER)
    assert browser.execute_script(BACKGROUND) == before
    ActionChains(browser).send_keys(*[Keys.TAB] * 6).perform()
    active = browser.switch_to.active_element
    assert active.tag_name in ("a", "summary", "button") and active != theme
    browser.execute_script(CLOSED)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pdf = b64decode(printed["data"])
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") >= 2
    assert browser.get_log("browser") == []


# --- a large page ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(browser, tmp_path_factory):
    """A page that packs its steps, as one of hundreds of gradients does."""
    document = documented(find("fnn"), command="gradproof")
    path = tmp_path_factory.mktemp("large") / "large.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "MOST_OPEN", 3)
        path.write_text(page(document, "zh"), encoding="utf-8")
    opened(browser, path)
    return document


def test_steps_that_are_packed_unfold_as_those_that_are_not(browser, large):
    assert browser.execute_script("return document.querySelectorAll('template').length") == 0
    browser.find_element(By.ID, "unfold").click()
    rows = "return document.querySelectorAll('table.steps tr').length"
    assert browser.execute_script(rows) == 0, "they stay folded until they are asked for"
    for card in large.gradients:
        browser.execute_script(f"document.querySelector('#{card.key} .steps').open = true")
        (way,) = card.steps.ways
        found = f"#{card.key} table.steps tr"
        WebDriverWait(browser, 5).until(
            lambda _, found=found: browser.find_elements(By.CSS_SELECTOR, found)
        )
        reasons = browser.execute_script(
            f"return [...document.querySelectorAll('{found} .reason')].map(one => "
            "[...one.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join(''))"
        )
        lines = [*way.lines, *card.steps.closing]
        assert len(reasons) == len(lines)
        assert reasons[0] == "前向传播"
    assert browser.execute_script(BOXES) == 0
    assert browser.get_log("browser") == []


def test_data_that_is_saved_has_the_steps_that_are_packed(browser, large):
    inside = browser.execute_script("return JSON.parse(arguments[0].textContent)", saved(browser))
    assert all(card["steps"] is None for card in inside["gradients"])
    browser.execute_script(
        "window.texts = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = blob => { blob.text().then(t => window.texts.push(t));"
        " return make(blob) };"
        "document.getElementById('json').addEventListener('click', e => {"
        " if (e.currentTarget.dataset.ready) e.preventDefault() });"
        "document.getElementById('json').click()"
    )
    (text,) = WebDriverWait(browser, 5).until(
        lambda _: browser.execute_script("return window.texts.length && window.texts")
    )
    for card, data in zip(large.gradients, json.loads(text)["gradients"], strict=True):
        said = [line["text"] for way in data["steps"]["ways"] for line in way["lines"]]
        assert said == [line.text for way in card.steps.ways for line in way.lines]
        assert data["steps"]["closing"][-1]["proved"]


def saved(browser):
    return browser.find_element(By.ID, "document")


def test_a_browser_that_cannot_unpack_says_so(browser, large):
    browser.refresh()
    browser.execute_script("delete window.DecompressionStream")
    key = large.gradients[0].key
    browser.execute_script(f"document.querySelector('#{key} .steps').open = true")
    said = WebDriverWait(browser, 5).until(
        lambda _: browser.find_element(By.CSS_SELECTOR, f"#{key} .packed").text
    )
    assert "gradproof derive --detail steps" in said
