"""A browser for the pages, and what they ask it for."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from gradproof.exporting import with_numpy
from gradproof.report.cards import AS_IN_CODE
from gradproof.workbench import document_source, verify_source

WORDS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,900",
)


def started():
    """Chromium without a window; where there is none the test is skipped, and fails on CI."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        said = "there is no chromium with its chromedriver: apt-get install chromium-driver"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    options = Options()
    for word in WORDS:
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.binary_location = shutil.which("chromium") or ""
    return webdriver.Chrome(options, Service(shutil.which("chromedriver")))


def documented(source, sizes=None, looks=AS_IN_CODE, **words):
    """The document of a network that NumPy verified."""
    sizes = sizes or {}
    report = verify_source(source, {}, "numpy", "float32", 0, sizes, pictures=True, one=looks.one)
    document = document_source(source, {}, [report], sizes, looks=looks, **words)
    return with_numpy(document, source, {}, sizes, looks.one)


def opened(browser, path):
    """The browser with a page, and with logs of that page alone."""
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(path.as_uri())
    return browser


def requests_of(browser):
    """What was asked for since the page was opened, but for what the page has inside."""
    found = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return [url for url in found if not url.startswith("data:")]
