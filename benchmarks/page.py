"""The report page of a deep network: how large it is, and how fast a browser opens it.

Aimed at: 200 layers in less than 5 MB, open in less than 3 s. It needs chromium with its
chromedriver, and selenium.

    python benchmarks/page.py [LAYERS]
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from gradproof.exporting import with_numpy
from gradproof.report.page import page
from gradproof.trace.source import read_file
from gradproof.workbench import document_source, verify_source

LAYERS = 200
REPEATS = 5

OPENED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
CARDS = "return document.querySelectorAll('#gradients .card').length"


def network(layers: int) -> str:
    """A file with so many layers, each on lines of its own."""
    parameters = ", ".join(f'W{k}: "3 3", b{k}: "3"' for k in range(1, layers + 1))
    lines = ["import numpy as np", "", "", f'def forward(x: "n 3", {parameters}, y: "n 3, data"):']
    for k in range(1, layers + 1):
        before = f"a{k - 1}" if k > 1 else "x"
        lines += [f"    z{k} = {before} @ W{k} + b{k}", f"    a{k} = np.tanh(z{k})"]
    return "\n".join([*lines, f"    return 0.5 * np.sum((a{layers} - y) ** 2)", ""])


def written(layers: int, folder: Path) -> Path:
    """The page of such a network, on NumPy."""
    file = folder / f"deep_{layers}.py"
    file.write_text(network(layers), encoding="utf-8")
    source = read_file(file)
    report = verify_source(source, {}, "numpy", "float32", 0, {}, pictures=True)
    document = with_numpy(document_source(source, {}, [report], {}), source, {}, {})
    path = file.with_suffix(".html")
    path.write_text(page(document), encoding="utf-8")
    return path


def main() -> None:
    """Prints the size of the page, the time to write it, and the times to open it."""
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else LAYERS
    options = Options()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(word)
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        path = written(layers, Path(folder))
        taken = time.process_time() - start
        browser = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        try:
            times = []
            for _ in range(REPEATS):
                browser.get(path.as_uri())
                times.append(browser.execute_script(OPENED) / 1000)
            cards = browser.execute_script(CARDS)
        finally:
            browser.quit()
        size = path.stat().st_size / 1e6
    print(f"{layers} layers, {cards} gradients: {size:.2f} MB, written in {taken:.1f} s")
    median, most = statistics.median(times), max(times)
    print(f"opened in {median:.2f} s (median of {REPEATS}; at most {most:.2f})")


if __name__ == "__main__":
    main()
