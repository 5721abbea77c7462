"""The page of a network in a real browser: complete, quiet, alone, and deaf to what it quotes."""

from __future__ import annotations

import json
import re
from textwrap import dedent

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from gradproof.gallery.catalogue import find
from gradproof.report.page import page
from tests.browsing import documented, opened, requests_of

WRONG = '''
"""A network with a mistake, and <img src=x onerror="document.title='run'">."""

import numpy as np

import gradproof as gp


def forward(x: "n 2", W1: "2 4", b1: "4", W2: "4 3", y: "n 3, data"):
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    return 0.5 * np.sum((z2 - y) ** 2)  # </script><script>document.title = "run"</script>


def backward(x, W2, y, z1, a1, z2):
    dl_dz2 = z2 - y
    dl_dW2 = a1.T @ dl_dz2
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * (1 - a1)
    dl_dW1 = x.T @ dl_dz1
    return locals()
'''


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    document = documented(find("fnn"), command="gradproof")
    path = tmp_path_factory.mktemp("right") / "fnn.html"
    path.write_text(page(document), encoding="utf-8")
    return path, document


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "wrong.py").write_text(dedent(WRONG), encoding="utf-8")
    source = find(str(folder / "wrong.py"))
    document = documented(source, what=WRONG[5:80])
    path = folder / "wrong.html"
    path.write_text(page(document), encoding="utf-8")
    return path, document


def test_a_page_asks_for_nothing_and_says_nothing_to_the_console(browser, right):
    path, _ = right
    opened(browser, path)
    assert requests_of(browser) == [path.as_uri()]
    assert browser.get_log("browser") == []


def test_every_equation_is_visible_and_set_in_the_font_inside(browser, right):
    opened(browser, right[0])
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('math')].map(m => {"
        "const b = m.getBoundingClientRect(); return [b.width, b.height]})"
    )
    assert len(boxes) > 20
    assert all(width > 5 and height > 5 for width, height in boxes)
    assert browser.execute_script("return document.fonts.check('16px \"STIX Two Math subset\"')")


def test_the_page_shows_every_tensor_and_its_verdicts(browser, right):
    path, document = right
    opened(browser, path)
    shown = browser.find_elements(By.CSS_SELECTOR, "#gradients .card")
    assert [one.get_attribute("id") for one in shown] == [c.key for c in document.gradients]
    assert all("agrees" in one.text for one in shown)
    assert browser.find_element(By.CSS_SELECTOR, ".verdict").text == "All hold"


def test_all_that_is_claimed_is_in_the_data_of_the_page(browser, right):
    path, document = right
    opened(browser, path)
    inside = json.loads(
        browser.execute_script("return document.getElementById('document').textContent")
    )
    assert [card["symbol"] for card in inside["gradients"]] == [
        card.symbol for card in document.gradients
    ]
    browser.find_element(By.ID, "unfold").click()
    numbers = {
        number
        for card in (*inside["forward"], *inside["gradients"])
        for trial in card["trials"]
        for party in (trial["hand"], trial["true"], *(e["numbers"] for e in trial["engines"]))
        if party
        for row in party["rows"]
        for number in row
    }
    cells = browser.find_elements(By.CSS_SELECTOR, "table.numbers td:not(.more)")
    assert {cell.text for cell in cells if cell.text} <= numbers


def test_each_gradient_shows_its_steps_when_they_are_unfolded(browser, right):
    path, document = right
    opened(browser, path)
    inside = json.loads(
        browser.execute_script("return document.getElementById('document').textContent")
    )
    for card, data in zip(document.gradients, inside["gradients"], strict=True):
        assert data["steps"]["intro"]["text"] == card.steps.intro.text
        box = browser.find_element(By.CSS_SELECTOR, f"#{card.key} details.steps")
        assert box.find_elements(By.TAG_NAME, "table") == [], "made when it is unfolded"
        browser.execute_script("arguments[0].open = true", box)
        lines = [line for way in card.steps.ways for line in way.lines] + [*card.steps.closing]
        assert all(line.proved for line in lines)
        rows = WebDriverWait(browser, 5).until(
            lambda _, box=box: box.find_elements(By.CSS_SELECTOR, "table.steps tr")
        )
        assert len(rows) == len(lines)
        boxes = browser.execute_script(
            "return [...arguments[0].querySelectorAll('math')].map(m => "
            "m.getBoundingClientRect().width)",
            box,
        )
        assert len(boxes) > len(lines)
        assert all(width > 3 for width in boxes)
    assert browser.get_log("browser") == []


def test_buttons_copy(browser, right):
    opened(browser, right[0])
    browser.execute_script(
        "window.copied = []; navigator.clipboard.writeText ="
        " text => { window.copied.push(text); return Promise.resolve(); }"
    )
    card = browser.find_elements(By.CSS_SELECTOR, "#gradients .card")[2]
    buttons = card.find_elements(By.CSS_SELECTOR, "button.copy")
    for button in buttons:
        browser.execute_script(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button
        )
        button.click()
    assert browser.find_element(By.ID, "told").text == "Copied"
    copied = browser.execute_script("return window.copied")
    assert copied[:2] == [right[1].gradients[2].formulas[-1].latex, "∂l/∂W2 = a1ᵀ ∂l/∂z2"]
    (code,) = copied[2:]
    assert code == right[1].gradients[2].numpy
    assert code.endswith("\n# ∂l/∂W2 = a1ᵀ ∂l/∂z2\ndl_dW2 = a1.T @ dl_dz2\n")
    assert r"\frac{\partial l}{\partial W_{2}}" in copied[0]


def test_links_to_a_line_and_a_card_go_there_and_are_copied(browser, right):
    opened(browser, right[0])
    browser.execute_script(
        "window.copied = []; navigator.clipboard.writeText ="
        " text => { window.copied.push(text); return Promise.resolve(); }"
    )
    card = browser.find_elements(By.CSS_SELECTOR, "#gradients .card")[2]
    page = browser.current_url.partition("#")[0]
    links = card.find_elements(By.CSS_SELECTOR, ".copies a")
    targets = [f"#L{right[1].gradients[2].place.line}", f"#{right[1].gradients[2].key}"]
    for link, target in zip(links, targets, strict=True):
        browser.execute_script(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", link
        )
        link.click()
        assert browser.current_url == page + target
        assert browser.find_element(By.ID, "told").text == "Link copied"
    assert browser.execute_script("return window.copied") == [page + t for t in targets]


def test_the_page_turns_dark_and_light(browser, right):
    opened(browser, right[0])
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(colour)
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(colour) != before
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(colour) == before


def test_the_keyboard_reaches_the_gradients_and_the_graph(browser, right):
    opened(browser, right[0])
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.get_attribute("href").endswith("#gradients")
    reached = set()
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.add(browser.execute_script("return document.activeElement.closest('svg') !== null"))
    assert True in reached


def test_the_graph_shows_the_equation_under_the_pointer(browser, right):
    path, document = right
    opened(browser, path)
    node = browser.find_element(By.CSS_SELECTOR, f'svg a[data-key="{document.gradients[2].key}"]')
    ActionChains(browser).move_to_element(node).perform()
    peek = browser.find_element(By.ID, "peek")
    assert peek.is_displayed()
    assert peek.find_elements(By.TAG_NAME, "math")


def test_it_prints(browser, right):
    opened(browser, right[0])
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 20_000


def test_what_is_wrong_stands_open_with_its_counter_example(browser, wrong):
    opened(browser, wrong[0])
    bad = browser.find_elements(By.CSS_SELECTOR, "#gradients .card.refuted")
    assert len(bad) == 2
    assert bad[0].find_element(By.TAG_NAME, "details").get_attribute("open")
    assert "written wrongly" in bad[0].find_element(By.CSS_SELECTOR, ".counter").text
    assert not bad[1].find_element(By.TAG_NAME, "details").get_attribute("open")
    assert "inherited" in bad[1].text
    marked = browser.find_elements(By.CSS_SELECTOR, "#source tr.refuted pre")
    assert [line.text.split()[0] for line in marked] == ["dl_dz1", "dl_dW1"]


def test_nothing_that_the_page_quotes_can_run(browser, wrong):
    opened(browser, wrong[0])
    assert browser.title == "wrong · gradproof"
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert "document.title" in browser.find_element(By.ID, "source").text
    assert browser.get_log("browser") == []


def test_a_phone_scrolls_in_one_direction_only(browser, right):
    browser.set_window_size(390, 800)
    try:
        opened(browser, right[0])
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= browser.execute_script("return innerWidth")
    finally:
        browser.set_window_size(1000, 900)


def test_two_runs_write_the_same_page(right):
    path, _ = right
    again = documented(find("fnn"), command="gradproof")
    assert page(again) == path.read_text(encoding="utf-8")


# --- in Chinese ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chinese")
    (folder / "wrong.py").write_text(dedent(WRONG), encoding="utf-8")
    paths = {}
    for name in ("fnn", "wrong"):
        source = find("fnn" if name == "fnn" else str(folder / "wrong.py"))
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(page(documented(source), "zh"), encoding="utf-8")
    return paths


NAMES = re.compile(
    r"NumPy|autograd|with|float32|LaTeX|JSON|Σ|tanh|exp|loss|gradproof|\w+\.py|\de[+-]?\d+|[xyzabWln]\d?"
)
"""What stands in a Chinese page in Latin letters: names, and what mathematics writes so."""

QUOTED = "math, svg, pre, code, .note, table.numbers, h1"


@pytest.mark.parametrize("name", ["fnn", "wrong"])
def test_a_chinese_page_leaves_no_sentence_in_english(browser, chinese, name):
    opened(browser, chinese[name])
    assert browser.execute_script("return document.documentElement.lang") == "zh"
    browser.find_element(By.ID, "unfold").click()
    said = browser.execute_script(
        "const page = document.body.cloneNode(true);"
        "const quoted = 'script, style, ' + arguments[0];"
        "for (const one of page.querySelectorAll(quoted)) one.remove();"
        "return page.textContent",
        QUOTED,
    )
    left = {
        word for word in re.findall(r"[A-Za-z][A-Za-z0-9_.]+", said) if not NAMES.fullmatch(word)
    }
    assert left == set()


def test_a_chinese_page_says_what_holds_and_what_does_not(browser, chinese):
    opened(browser, chinese["fnn"])
    assert browser.find_element(By.CSS_SELECTOR, ".verdict").text == "全部成立"
    shown = browser.find_elements(By.CSS_SELECTOR, "#gradients .card")
    assert all("一致" in one.text for one in shown)
    opened(browser, chinese["wrong"])
    bad = browser.find_elements(By.CSS_SELECTOR, "#gradients .card.refuted")
    assert [one.find_element(By.CLASS_NAME, "chip").text for one in bad] == [
        "✗ 已否定",
        "✗ 连带错误",
    ]


@pytest.mark.parametrize("width", [390, 1000])
def test_no_word_of_a_chinese_page_is_clipped(browser, chinese, width):
    browser.set_window_size(width, 900)
    try:
        opened(browser, chinese["wrong"])
        clipped = browser.execute_script(
            "for (const card of document.querySelectorAll('.card')) "
            "card.style.contentVisibility = 'visible';"
            "const words = 'button, .chip, .copies a, summary, h2, p, dt, .verdict';"
            "return [...document.querySelectorAll(words)].filter(one => {"
            "if (one.closest('.scroll')) return false;"
            "const box = one.getBoundingClientRect();"
            "const style = getComputedStyle(one);"
            "return box.right > innerWidth || (style.overflowX !== 'visible' && "
            "one.scrollWidth > one.clientWidth + 1)}).map(one => one.outerHTML)"
        )
        assert clipped == []
        heights = browser.execute_script(
            "return [...document.querySelectorAll('.chip, button')].map("
            "one => one.getClientRects().length)"
        )
        assert set(heights) <= {0, 1}
    finally:
        browser.set_window_size(1000, 900)
