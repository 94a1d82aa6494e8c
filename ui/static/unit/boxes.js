// Scroll inside a box only: the page stays where it is.
export function within(box, part) {
  if (box && part) box.scrollTop = part.offsetTop - (box.clientHeight - part.offsetHeight) / 2;
}
