"""Living alerts as the live pages show them: plain values, ready for JSON. Pure: no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from broker.messages import parse_time

Frame: TypeAlias = dict[str, Any]
SHOWN_MAX: Final = 60
"""Cards that one page shows: the foremost."""
_SIGN: Final = ("machine", "kind", "state", "severity", "step")
_RANK: Final = {"critical": 0, "major": 1, "minor": 2}
_STATES: Final = {"open": 0, "acknowledged": 1, "shelved": 2}


def alert_cards(alerts: Iterable[Mapping[str, Any]]) -> list[Frame]:
    """Return living alerts: not seen before seen, the worst first, then the newest.

    Those that rest on a shelf come last: nothing is shown of them but what they keep quiet.

    Args:
        alerts: As the HTTP API says them, in any order.
    """
    cards = [_card(each) for each in alerts]
    cards.sort(key=_place)
    return cards


def _place(card: Frame) -> tuple[int, int, float, int]:
    return _STATES[card["state"]], _RANK[card["severity"]], -card["opened"], -card["id"]


def floor_alerts(cards: Sequence[Frame], line: str) -> Frame:
    """Return what the floor shows of them: of a line its own before others'; '' is the plant.

    `alerts` are the cards of the foremost. `signs` are what tiles bear of all the others, in the
    same order: machine, kind, state, severity, step.
    """
    own_first = sorted(cards, key=lambda card: bool(line) and card["line"] not in {line, None})
    others = (card for card in own_first[SHOWN_MAX:] if card["machine"] is not None)
    signs = [[card[name] for name in _SIGN] for card in others]
    return {"alerts": own_first[:SHOWN_MAX], "signs": signs}


def cards_of(cards: Sequence[Frame], machine_id: str) -> list[Frame]:
    """Return those that the page of one machine shows: of all that are about it."""
    return [card for card in cards if card["machine"] == machine_id][:SHOWN_MAX]


def _card(alert: Mapping[str, Any]) -> Frame:
    subject = alert["subject"]
    return {
        "id": alert["alert_id"],
        "kind": alert["kind"],
        "severity": alert["severity"],
        "machine": subject["machine"],
        "line": alert["line"],
        "step": subject["step"],
        "procedure": subject["procedure"],
        "barcode": alert["barcode"],
        "message": alert["message"],
        "state": alert["state"],
        "opened": parse_time(alert["opened_at"]).timestamp(),
        "by": alert["acknowledged_by"],
        "runs": len(alert["evidence"]),
    }
