"""One browser for all pages."""

import pytest

from tests.browsing import started


@pytest.fixture(scope="session")
def browser():
    driver = started()
    yield driver
    driver.quit()
