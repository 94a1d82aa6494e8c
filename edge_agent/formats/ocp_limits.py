"""The limits of an OCP value: validators (2.0), or range and validValues (2021). Pure: no I/O."""

from typing import Any, Final

from edge_agent.formats.jsonfields import (
    filled,
    limit,
    measured,
    plain,
    storable,
    table,
    tables,
    words,
)

_COMPARATORS: Final = {
    "GREATER_THAN": "GT",
    "GREATER_THAN_OR_EQUAL": "GE",
    "LESS_THAN": "LT",
    "LESS_THAN_OR_EQUAL": "LE",
    "EQUAL": "EQ",
    "NOT_EQUAL": "NE",
    "REGEX_MATCH": "REGEX",
    "IN_SET": "IN",
}
_SIDES: Final = {"GT": "low", "GE": "low", "LT": "high", "LE": "high"}
_UNSAID: Final = {"GE", "LE", "GELE"}  # what low and high mean by themselves


def limits_of(element: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Return the limits of one value as fields of a measurement.

    Args:
        element: Where the value is; limits of its own beat those of its series.
        about: What describes the value, or its series.

    Returns:
        Fields; a validator that fits into no comparator beside the others is kept in
        `attributes.validators`.

    Raises:
        ValueError: A limit is no number, or something has another type than it can have.
    """
    for place in (element, about):
        if place.get("validators") is not None:
            return _validated(tables(place["validators"], "validators"))
        if place.get("range") is not None or place.get("validValues") is not None:
            return _ranged(place)
    return {}


def _ranged(place: dict[str, Any]) -> dict[str, Any]:
    span, valid = table(place.get("range"), "range"), table(place.get("validValues"), "validValues")
    limits = filled(low=limit(span.get("minimum")), high=limit(span.get("maximum")))
    members = _nominal("IN", valid.get("values"))
    return limits or ({"comparator": "IN", "nominal": members} if members else {})


def _validated(validators: list[dict[str, Any]]) -> dict[str, Any]:
    taken: dict[str, tuple[str, Any]] = {}
    others: list[Any] = []
    for each in validators:
        comparator = _COMPARATORS.get(words(each.get("type")).upper(), "")
        side = _SIDES.get(comparator, "nominal")
        value = _value(comparator, each.get("value"))
        is_alone = not taken or (side not in taken and "nominal" not in {side, *taken})
        if value is not None and is_alone:
            taken[side] = comparator, value
        else:
            others.append(plain(each))
    kept = filled(validators=others)
    return _fields(taken) | ({"attributes": kept} if kept else {})


def _fields(taken: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return comparator and limits; low and high without one where they say it themselves."""
    comparator = "".join(taken[side][0] for side in ("low", "high", "nominal") if side in taken)
    fields = {side: value for side, (_, value) in taken.items()}
    if not comparator or comparator in _UNSAID:
        return fields
    if comparator == "LT":  # a comparator's only limit stands in low
        fields = {"low": fields["high"]}
    return {"comparator": comparator, **fields}


def _value(comparator: str, value: object) -> Any:  # noqa: ANN401 - a limit, text or list
    if not comparator:
        return None
    return limit(value) if comparator in _SIDES else _nominal(comparator, value)


def _nominal(comparator: str, value: object) -> Any:  # noqa: ANN401
    """Return what a value is compared with: members of a set, or patterns of which one is found."""
    several = value if isinstance(value, list) else [value]
    if comparator == "IN":
        return [each for each in map(measured, several) if each is not None] or None
    if comparator == "REGEX":
        patterns = [storable(each) for each in several if isinstance(each, str)]
        return (
            patterns[0] if len(patterns) == 1 else "|".join(map("(?:{})".format, patterns)) or None
        )
    return measured(value)
