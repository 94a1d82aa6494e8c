"""Whether the text of a page can be read: its contrast, measured in the browser (WCAG 2.2, AA)."""

from tests.support.browser import Browser

# Colours of what lies below a text are laid over each other up to the first that hides all below.
# A disabled control and a text that nobody sees need no contrast.
_FAINT = """
  const colour = (text) => {
    const [red, green, blue, share = 1] = text.match(/[\\d.]+/g).map(Number);
    const by = text.startsWith("color(srgb") ? 255 : 1;
    return [red * by, green * by, blue * by, share];
  };
  const over = ([r, g, b, share], below) =>
    [r, g, b].map((each, i) => each * share + below[i] * (1 - share));
  const bright = (rgb) => {
    const light = (each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = rgb.map((each) => light(each / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const below = (element) => {
    if (!element) return [255, 255, 255];
    const own = colour(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, below(element.parentElement));
  };
  const ratio = (element, style, ground) => {
    const ink = colour(element instanceof SVGElement ? style.fill : style.color);
    const [low, high] = [bright(over(ink, ground)), bright(ground)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const isSeen = (element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
    element.getBoundingClientRect().width > 1 && !element.closest(":disabled, option");
  const faint = new Set();
  for (const theme of ["dark", "light"]) {
    document.documentElement.dataset.theme = theme;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim();
      const element = walker.currentNode.parentElement;
      if (!text || !isSeen(element)) continue;
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const found = ratio(element, style, below(element));
      const said = `${theme} ${found.toFixed(2)} ${element.className} ${text.slice(0, 30)}`;
      if (found < (isLarge ? 3 : 4.5)) faint.add(said);
    }
  }
  return [...faint];
"""


def faint_texts(browser: Browser) -> list[str]:
    """Return each text that is fainter than AA allows, by theme with its ratio; leaves it light."""
    found: list[str] = browser.run(_FAINT)
    return found
