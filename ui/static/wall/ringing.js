// What a wall says of alerts. Pure: what it says depends on what it is given.
import { when } from "yieldline";
import { attentionCards } from "yieldline/cards.js";
import { cardOf } from "yieldline-wall/tiles.js";
import { shortly } from "yieldline-wall/turns.js";

// The alerts that nobody has acknowledged, and critical trouble of tiles before there is an alert, or where
// none is raised. The worst come first, then what has waited longest. `alerts`, `signs`: of the frame.
export function ringing(alerts, signs, tiles, now) {
  const known = new Map(alerts.map((each) => [each.id, each]));
  const cards = attentionCards(alerts, tiles, now, signs).filter((card) => card.isOpen && (card.id || card.severity === "critical"));
  return cards.map((card) => {
    const { key, name, severity, machine } = card;
    if (!card.id) return { key, name, severity, words: shortly(card, card), state: card.since };
    const own = tiles[machine] && cardOf(tiles[machine], now);
    return { key, name, severity, words: shortly(known.get(card.id), own), state: `${when(known.get(card.id).opened, now)}, nobody has acknowledged` };
  });
}
