"""A floor page that stays open: as many frames as days bring it, and what its browser keeps.

The frames are real ones that the page was sent, with new numbers, times and barcodes; they go the
way of every frame, only faster: the page draws each, and paints when it finds the time.
"""

from typing import Final

from tests.support.browser import Browser

KEPT: Final = "return window.kept?.length ?? 0"
_KEEP: Final = """
window.kept = [];
[window.take] = window.socket.listeners("yieldline_frame"); // the page's own
window.socket.on("yieldline_frame", (frame) => {
  if (frame.live?.length && window.kept.length < 8) window.kept.push(structuredClone(frame));
});
"""
_REPLAY: Final = """
const [count, from, done] = arguments;
const TOGETHER = 100; // frames between two moments in which the page may paint and answer pings
const take = window.take;
const emit = window.socket.emit;
window.socket.emit = () => window.socket; // the server did not send them: no credit for it
window.socket.off("yieldline_frame", take); // and its own would come in between
const renewed = (frame, at) => {
  const now = Date.now() / 1000;
  Object.assign(frame, { number: 1e9 + at, base: at === from ? null : 1e9 + at - 1, at: now });
  for (const tile of frame.tiles) Object.assign(tile, { last: now, run: at });
  frame.live.forEach((run, i) => {
    Object.assign(run, { run: at * 100 + i, barcode: `SN-${at}-${i}`, at: now });
  });
  return frame;
};
const run = async () => {
  for (let at = from; at < from + count; at += 1) {
    take(renewed(structuredClone(window.kept[at % window.kept.length]), at));
    await null; // Vue draws in a microtask
    await null;
    if (at % TOGETHER === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  window.socket.emit = emit; // in time for the last credits: the server sends again
  window.socket.on("yieldline_frame", take);
  done(document.querySelector(".feed").innerText);
};
run();
"""


def keep_frames(browser: Browser) -> None:
    """Have the page keep some of the frames that come from now on."""
    browser.run(_KEEP)


def replay(browser: Browser, count: int, begin: int, timeout_s: float = 120) -> str:
    """Show the page so many frames, numbered from `begin`; return what its list of results says."""
    browser.driver.set_script_timeout(timeout_s)
    return str(browser.driver.execute_async_script(_REPLAY, count, begin))


def heap_mib(browser: Browser) -> float:
    """Return what JavaScript holds of memory after everything that can go has gone.

    The least of three: what is being drawn at that moment counts too.
    """
    return min(_collected_mib(browser) for _ in range(3))


def _collected_mib(browser: Browser) -> float:
    browser.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    used = browser.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
    return float(used["usedSize"]) / 2**20
