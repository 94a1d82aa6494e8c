// Which tiles a wall shows now, and the words it uses. Pure: what it says depends on what it is given.
export const TILES_MAX = 12;
export const TURN_S = 15;
const MOVE_S = 600;
const MOVES = [[0, 0], [2, 0], [2, 2], [0, 2]];

export const turnAt = (second) => Math.floor(second / TURN_S);

// At most 12 of `tiles`. Where there are more they take turns; those that `isCritical` come first and stay.
// Returns {shown, page, pages}.
export function takeTurns(tiles, isCritical, turn) {
  if (tiles.length <= TILES_MAX) return { shown: tiles, page: 0, pages: 1 };
  const critical = tiles.filter(isCritical);
  const held = critical.length < TILES_MAX ? critical : [];
  const others = held.length ? tiles.filter((tile) => !isCritical(tile)) : critical.length ? critical : tiles;
  const room = TILES_MAX - held.length;
  const pages = Math.max(1, Math.ceil(others.length / room));
  const page = turn % pages;
  return { shown: [...held, ...others.slice(page * room, (page + 1) * room)], page, pages };
}

// Of several alerts the one that is said now: the critical ones alone while there are any.
export function oneOf(alerts, turn) {
  const critical = alerts.filter((alert) => alert.severity === "critical");
  const said = critical.length ? critical : alerts;
  return said.length ? said[turn % said.length] : null;
}

// An alert in few words. Where the tile has the same trouble, its numbers, which go on; else the alert's
// sentence without the name, which stands beside it.
export function shortly({ kind, message, machine }, card) {
  if (card && card.kind === kind) return [card.title, [card.step, card.text].filter(Boolean).join(" ")].filter(Boolean).join(", ");
  for (const start of [`${machine} is `, `${machine} has `]) if (message.startsWith(start)) return message.slice(start.length);
  return message;
}

// A silence that is read from 6 m: its largest unit alone.
export function silence(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 86400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

// A picture that never moves burns in.
export const movedBy = (second) => MOVES[Math.floor(second / MOVE_S) % MOVES.length];

export function columnsFor(count) {
  if (count <= 1) return 1;
  if (count <= 4) return 2;
  return count <= 9 ? 3 : 4;
}
