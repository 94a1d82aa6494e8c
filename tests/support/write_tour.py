"""`python -m tests.support.write_tour`: pictures of every page, for docs/tour.md or to look at.

Starts the product with its simulated floor, waits until there is something to see, and takes each
page with headless Chromium. Without a flag it writes the pictures of the tour; with `--look FOLDER`
every page in every size and theme, for the eye of whoever changed one.
"""

import argparse
import io
import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image

from tests.support.browser import Browser
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.product import RULES
from tests.support.waiting import eventually_sync

IMAGES: Final = Path(__file__).parents[2] / "docs/images/tour"
SIZES: Final = {"1920": (1920, 1080), "1366": (1366, 768), "390": (390, 844)}
_COLOURS = 128  # a screen of few colours is a small file, and still sharp
_SETTLE_S = 2.5
_PASSWORD = "a picture says more than words"


class Floor:
    """A plant that is simulated, and what to look at in it."""

    def __init__(self, folder: Path, history_min: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        mqtt_port = str(free_port())
        ports = ("--http-port", str(port), "--mqtt-port", mqtt_port, "--data-dir", folder / "data")
        shutil.copy(RULES, folder / "rules.toml")
        self.product = Process(
            [YIELDLINE, "up", "--no-demo", *ports],
            environment={"YIELDLINE_RULES__FILE": "rules.toml"},
            directory=folder,
        )
        eventually_sync(self.is_ready, 60, saw=lambda: self.product.output)
        words = ("simulate", "--seed", "7", "--history", str(history_min))
        environment = {"YIELDLINE_BROKER__PORT": mqtt_port}
        self.machines = Process([YIELDLINE, *words], environment=environment, directory=folder)

    def close(self) -> None:
        """Stop it all."""
        self.machines.stop()
        self.product.stop()

    def is_ready(self) -> bool:
        """Tell whether it can take results."""
        try:
            return bool(self.get("/readyz"))
        except OSError:
            return False

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """GET a call of the API."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def add_user(self) -> None:
        """Have people log in from now on."""
        secret = self.folder / "password"
        secret.write_text(_PASSWORD, "utf-8")
        words = ("users", "add", "ann", "--role", "admin", "--password-file", secret)
        environment = {"YIELDLINE_DATABASE__URL": f"sqlite:///{self.folder}/data/yieldline.db"}
        with Process([YIELDLINE, *words], environment=environment, directory=self.folder) as added:
            assert added.wait(30) == 0, added.output

    def addresses(self) -> Mapping[str, str]:
        """Return what there is to see, by the picture's name."""
        failed = self.get("/api/v1/results?machine_id=FCT-12&outcome=FAIL&agrees=false&limit=1")
        run = failed["items"][0]
        return {
            "floor": "/",
            "machine": "/machines/FCT-12?step=vbat_ripple",
            "kiosk": "/machines/FCT-12?kiosk=1",
            "unit": f"/units/{run['barcode']}?run={run['run_id']}",
            "analytics": "/analytics?range=24h&product_id=ECU-4100",
            "results": "/results?outcome=FAIL",
            "alerts": "/alerts",
            "rules": "/rules",
            "rejects": "/rejects",
            "system": "/system",
            "wall": "/wall",
            "wall-line": "/wall?line=L1",
        }


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.write_tour", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--look", type=Path, help="a folder for every page, size and theme")
    parser.add_argument("--history", type=int, default=240, help="minutes of the past to simulate")
    parser.add_argument("--wait", type=int, default=330, help="seconds until the floor is alive")
    parser.add_argument("--only", default="", help="names of pictures, such as floor,unit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yieldline-tour-") as folder:
        floor = Floor(Path(folder), options.history)
        try:
            time.sleep(options.wait)
            only = set(options.only.split(",")) - {""}
            _take_all(floor, _looks(options.look) if options.look else _tour(), only)
        finally:
            floor.close()


Look = tuple[str, str, Callable[[str], Path]]
"""Theme, size, and where the picture of a page goes."""


def _tour() -> Iterator[Look]:
    IMAGES.mkdir(parents=True, exist_ok=True)
    yield "dark", "1366", lambda name: IMAGES / f"{name}.png"
    yield "light", "1366", lambda name: IMAGES / f"{name}-light.png"


def _looks(folder: Path) -> Iterator[Look]:
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("dark", "light"):
        for size in SIZES:
            yield theme, size, lambda name, t=theme, s=size: folder / f"{name}-{s}-{t}.png"  # type: ignore[misc]


def _take_all(floor: Floor, looks: Iterator[Look], only: set[str]) -> None:
    addresses = dict(floor.addresses())
    browser = Browser()
    try:
        wanted = list(looks)
        for name, path in addresses.items():
            if not only or name in only:
                for look in wanted:
                    _take(browser, f"{floor.url}{path}", look, name)
        if not only or "login" in only:
            floor.add_user()
            time.sleep(_SETTLE_S)
            for look in wanted:
                _take(browser, f"{floor.url}/login", look, "login")
    finally:
        browser.close()


def _take(browser: Browser, url: str, look: Look, name: str) -> None:
    theme, size, file_of = look
    browser.prefer(theme)
    browser.resize(*SIZES[size])
    browser.driver.get(url)
    time.sleep(_SETTLE_S)
    picture = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png()))
    palette = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    palette.save(file_of(name), optimize=True)


if __name__ == "__main__":
    main()
