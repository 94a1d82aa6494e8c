"""Measurements of OCP diagnostics: values, limits, series and diagnoses, in both shapes."""

from typing import Any

import pytest

from tests.support.ocp_artifacts import END, SPEED, START, log, one, one_run, run, step, whole


def limits(**fields: object) -> dict[str, Any]:
    found = one(step(measurement={**SPEED, **fields}))
    return found.model_dump(
        exclude_none=True, include={"low", "high", "comparator", "nominal", "attributes"}
    )


def test_a_measurement_of_2021_has_its_parts_apart() -> None:
    found = one(
        step(
            measurement={
                "info": {"name": "bandwidth", "unit": "MB/sec", "hardwareInfoId": ""},
                "element": {"range": {"maximum": "Infinity", "minimum": 49500}, "value": 46757.6},
            }
        )
    )
    assert (found.test_step, found.unit, found.measured_value) == (
        "fan/bandwidth", "MB/sec", 46757.6,
    )  # fmt: skip
    assert (found.low, found.high) == (49500, None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"range": {"maximum": 2, "minimum": 1}}, {"low": 1, "high": 2}),
        ({"range": {}}, {}),
        ({"range": {"maximum": 9.91e99, "minimum": 0}}, {"low": 0}),
        ({"validValues": {"values": [True]}}, {"comparator": "IN", "nominal": (True,)}),
        ({"validValues": {"values": ["a", 1]}}, {"comparator": "IN", "nominal": ("a", 1)}),
        ({"validValues": {"values": []}}, {}),
    ],
)
def test_limits_of_2021(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert limits(**fields) == expected


@pytest.mark.parametrize(
    ("validators", "expected"),
    [
        ([("GREATER_THAN", 1), ("LESS_THAN", 2)], {"comparator": "GTLT", "low": 1, "high": 2}),
        ([("LESS_THAN", 2), ("GREATER_THAN_OR_EQUAL", 1)],
         {"comparator": "GELT", "low": 1, "high": 2}),
        ([("GREATER_THAN", 1)], {"comparator": "GT", "low": 1}),
        ([("GREATER_THAN_OR_EQUAL", 1)], {"low": 1}),
        ([("LESS_THAN", 2)], {"comparator": "LT", "low": 2}),
        ([("LESS_THAN_OR_EQUAL", 2)], {"high": 2}),
        ([("EQUAL", "ok")], {"comparator": "EQ", "nominal": "ok"}),
        ([("NOT_EQUAL", False)], {"comparator": "NE", "nominal": False}),
        ([("REGEX_MATCH", "^a")], {"comparator": "REGEX", "nominal": "^a"}),
        ([("REGEX_MATCH", ["^a", "b$"])], {"comparator": "REGEX", "nominal": "(?:^a)|(?:b$)"}),
        ([("IN_SET", [1, 2])], {"comparator": "IN", "nominal": (1, 2)}),
        ([("LESS_THAN", 1e100)], {"attributes": {"validators": [("LESS_THAN", 1e100)]}}),
        ([("NOT_IN_SET", [1])], {"attributes": {"validators": [("NOT_IN_SET", [1])]}}),
        ([("REGEX_MATCH", [])], {"attributes": {"validators": [("REGEX_MATCH", [])]}}),
        ([("EQUAL", 1), ("LESS_THAN", 2)],
         {"comparator": "EQ", "nominal": 1, "attributes": {"validators": [("LESS_THAN", 2)]}}),
        ([("LESS_THAN", 2), ("LESS_THAN", 3)],
         {"comparator": "LT", "low": 2, "attributes": {"validators": [("LESS_THAN", 3)]}}),
    ],
)  # fmt: skip
def test_validators_of_2_0(validators: list[tuple[str, Any]], expected: dict[str, Any]) -> None:
    found = limits(validators=[{"type": kind, "value": value} for kind, value in validators])
    for kept in found.get("attributes", {}).values():
        kept[:] = [tuple(each.values()) for each in kept]
    assert found == expected


def test_limits_of_an_element_beat_those_of_its_series() -> None:
    at_most = {"type": "LESS_THAN_OR_EQUAL"}
    element = {"measurementSeriesId": "s", "value": 1}
    found = one_run(
        whole(
            step(
                measurementSeriesStart={
                    "measurementSeriesId": "s", "name": "t", "validators": [{**at_most, "value": 5}]
                }
            ),
            step(measurementSeriesElement=element),
            step(
                measurementSeriesElement={**element, "validators": [{**at_most, "value": 7}]}
            ),
        )
    )  # fmt: skip
    assert [each.high for each in found.measurements] == [5, 7]


def test_a_series_is_told_apart_by_its_step() -> None:
    def other(**artifact: object) -> dict[str, Any]:
        return {"testStepArtifact": {**artifact, "testStepId": "2"}}

    found = one_run(
        whole(
            other(testStepStart={"name": "psu"}),
            step(measurementSeriesStart={"measurementSeriesId": "0", "info": {"name": "a"}}),
            other(measurementSeriesStart={"measurementSeriesId": "0", "info": {"name": "b"}}),
            step(measurementElement={"measurementSeriesId": "0", "value": 1}),
            other(measurementElement={"measurementSeriesId": "0", "value": 2}),
        )
    )
    assert [each.test_step for each in found.measurements] == ["fan/a", "psu/b"]


@pytest.mark.parametrize(
    ("kind", "truth", "outcome"),
    [
        ("PASS", True, "PASS"),
        ("FAIL", False, "FAIL"),
        ("UNKNOWN", None, None),
        ("?", False, "FAIL"),
    ],
)
@pytest.mark.parametrize("verdict", ["verdict", "symptom"])
def test_a_diagnosis_is_pass_or_fail(
    kind: str, truth: object, outcome: str | None, verdict: str
) -> None:
    body = {verdict: "fan-ok", "type": kind, "hardwareInfoId": ["1", "2"], "message": "slow"}
    found = one(step(diagnosis=body))
    assert found.test_step == "fan/fan-ok@1,2"
    assert (found.measured_value, found.reported_outcome) == (truth, outcome)
    assert (found.comparator, found.nominal) == ("EQ", True)
    assert found.attributes == {"message": "slow"}


def test_an_option_maps_units() -> None:
    found = one_run(whole(step(measurement=SPEED)), units={"RPM": "1/min"})
    assert found.measurements[0].unit == "1/min"


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '"Infinity"', "null"])
def test_no_number_is_null(value: str) -> None:
    content = whole(step(measurement=SPEED)).replace(b"9000.5", value.encode())
    (found,) = one_run(content).measurements
    assert found.measured_value is None


@pytest.mark.parametrize("value", ["PASS", True, False])
def test_text_and_booleans_are_values(value: object) -> None:
    assert one(step(measurement={**SPEED, "value": value})).measured_value == value


def test_a_step_whose_start_is_missing_goes_by_its_id() -> None:
    found = one_run(log(run(testRunStart=START), step(measurement=SPEED), run(testRunEnd=END)))
    assert found.measurements[0].test_step == "300/speed@5"
