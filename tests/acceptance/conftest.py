"""One product a module, and one browser: a page that is left open goes on painting."""

from collections.abc import Iterator

import pytest

from tests.support.browser import CHROMEDRIVER, CHROMIUM, Browser
from tests.support.product import Product

NEEDED = CHROMIUM and CHROMEDRIVER


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if not NEEDED:
        pytest.skip("Chromium and chromedriver are not installed")
    started = Product(tmp_path_factory.mktemp("product"))
    yield started
    started.process.interrupt()
    started.process.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not NEEDED:
        pytest.skip("Chromium and chromedriver are not installed")
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    chromium.resize(1920, 1080)
    chromium.complaints()
    chromium.hosts()
    return chromium
