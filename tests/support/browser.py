"""Headless Chromium with a profile of its own, and what it asked the network for."""

import json
import shutil
import signal
import tempfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psutil
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tests.support.waiting import eventually_sync

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
CHROMEDRIVER = shutil.which("chromedriver")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Browser:
    """One Chromium; `close` ends it and removes its profile."""

    def __init__(self) -> None:
        assert CHROMIUM
        assert CHROMEDRIVER
        self._profile = tempfile.mkdtemp(prefix="yieldline-chromium-")
        options = ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*_FLAGS, f"--user-data-dir={self._profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(CHROMEDRIVER))
        self.resize(1920, 1080)

    def close(self) -> None:
        """End it."""
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def resize(self, width: int, height: int) -> None:
        """Show pages in a window of this size; a narrow one is a phone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Have the system prefer a dark or a light theme."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, url: str) -> None:
        """Open a page and wait until its content is there."""
        self.driver.get(url)
        self.eventually(lambda: self.count(".app > .body > *"))

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - any JSON value
        """Run JavaScript and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str = ".app") -> str:
        """Return the text that a person sees in an element; empty while there is none."""
        found = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return str(found)

    def count(self, selector: str) -> int:
        """Return how many elements there are."""
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def eventually(self, predicate: Callable[[], object], timeout_s: float = 10) -> None:
        """Wait until `predicate()` is true; when it never is, say what stands on the page."""
        eventually_sync(predicate, timeout_s, saw=self.text)

    def sleep(self) -> None:
        """Freeze all of its processes (SIGSTOP), as a laptop that is shut does, until `wake`."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let them go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.driver.service.process
        for process in psutil.Process(self.driver.service.process.pid).children(recursive=True):
            process.send_signal(number)

    def complaints(self) -> list[str]:
        """Return the errors of its console since the last call."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def frames(self) -> int:
        """Return how many frames of a live page its socket brought since the last call."""
        messages = [
            json.loads(each["message"])["message"] for each in self.driver.get_log("performance")
        ]
        return sum(
            each["method"] == "Network.webSocketFrameReceived"
            and "yieldline_frame" in each["params"]["response"]["payloadData"]
            for each in messages
        )

    def hosts(self) -> set[str]:
        """Return the hosts of all requests since the last call, websockets too."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            parameters = message["params"]
            url = parameters.get("request", {}).get("url") or parameters.get("url", "")
            is_request = message["method"] in {
                "Network.requestWillBeSent",
                "Network.webSocketCreated",
            }
            if is_request and urlsplit(url).scheme in {"http", "https", "ws", "wss"}:
                found.add(str(urlsplit(url).hostname))
        return found
