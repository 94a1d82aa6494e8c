"""Which way machine and arithmetic differ: what is stored tells it as the comparison does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Comparator, Outcome, ReportedOutcome, RunMeasurement
from service.core.compare import compare
from service.core.disagreement import (
    DisagreeingMeasurement,
    DisagreementKind,
    ValueShape,
    kind_of,
    kind_of_run,
)
from service.core.judge import judge_measurement
from service.core.records import JudgedMeasurement
from service.core.rules import Limit

ACCEPT, REJECT, OTHER = DisagreementKind
_SHAPES = {float: ValueShape.NUMBER, str: ValueShape.TEXT, bool: ValueShape.TRUTH}


def stored(judged: JudgedMeasurement) -> DisagreeingMeasurement:
    """Keep what a row of the database keeps."""
    measurement = judged.measurement
    assert measurement.reported_outcome is not None
    return DisagreeingMeasurement(
        measurement.reported_outcome,
        judged.outcome,
        judged.rule_id is not None,
        _SHAPES.get(type(measurement.measured_value), ValueShape.NONE),
        judged.comparator,
        judged.low is not None,
        judged.high is not None,
        _SHAPES.get(type(judged.nominal), ValueShape.NONE),
    )


def judged(**fields: Any) -> JudgedMeasurement:  # noqa: ANN401 - fields of a measurement
    return judge_measurement(RunMeasurement.model_validate({"test_step": "s", **fields}), None)[0]


_numbers = st.sampled_from([1.0, 2.0, 3.0])
_texts = st.sampled_from(["a", "b"])
_limits: dict[Comparator, dict[str, st.SearchStrategy[Any]]] = {
    Comparator.GE: {"low": _numbers},
    Comparator.LT: {"low": _numbers},
    Comparator.LE: {"high": _numbers},
    Comparator.GELE: {"low": _numbers, "high": _numbers},
    Comparator.LTGT: {"low": _numbers, "high": _numbers},
    Comparator.EQT: {"nominal": _numbers, "tolerance": _numbers},
    Comparator.EQ: {"nominal": st.one_of(_numbers, _texts, st.booleans())},
    Comparator.NE: {"low": _numbers},
    Comparator.REGEX: {"nominal": _texts},
    Comparator.IGNORECASE: {"nominal": _texts},
}


@st.composite
def measurements(draw: st.DrawFn) -> dict[str, Any]:
    comparator = draw(st.sampled_from(list(_limits)))
    return {
        "measured_value": draw(st.one_of(_numbers, _texts, st.booleans(), st.none())),
        "comparator": comparator,
        "reported_outcome": draw(st.sampled_from(list(ReportedOutcome))),
        **{name: draw(value) for name, value in _limits[comparator].items()},
    }


@given(measurements())
def test_what_is_stored_tells_the_direction_as_the_comparison_does(fields: dict[str, Any]) -> None:
    found = judged(**fields)
    if found.agrees is not False:
        return
    limit = Limit(
        fields["comparator"],
        fields.get("low"),
        fields.get("high"),
        fields.get("nominal"),
        None,
        fields.get("tolerance"),
    )
    ours = compare(fields["measured_value"], None, limit).outcome
    directions = {
        (ReportedOutcome.PASS, Outcome.FAIL): ACCEPT,
        (ReportedOutcome.FAIL, Outcome.PASS): REJECT,
    }
    assert kind_of(stored(found)) is directions.get((fields["reported_outcome"], ours), OTHER)


@pytest.mark.parametrize(
    ("reported", "outcome", "kind"),
    [
        (ReportedOutcome.PASS, Outcome.FAIL, ACCEPT),
        (ReportedOutcome.FAIL, Outcome.PASS, REJECT),
        (ReportedOutcome.PASS, Outcome.ERROR, OTHER),
        (ReportedOutcome.FAIL, Outcome.ERROR, OTHER),
        (ReportedOutcome.ABORTED, Outcome.PASS, OTHER),
    ],
)
def test_by_a_rule_the_outcome_is_our_arithmetic(
    reported: ReportedOutcome, outcome: Outcome, kind: DisagreementKind
) -> None:
    found = DisagreeingMeasurement(
        reported,
        outcome,
        is_by_rule=True,
        shape=ValueShape.NUMBER,
        comparator=Comparator.GELE,
        has_low=True,
        has_high=True,
        nominal=ValueShape.NONE,
    )
    assert kind_of(found) is kind


@pytest.mark.parametrize(
    ("reported", "has_failure", "has_error", "kind"),
    [
        (ReportedOutcome.PASS, True, False, ACCEPT),
        (ReportedOutcome.PASS, True, True, ACCEPT),
        (ReportedOutcome.PASS, False, True, OTHER),
        (ReportedOutcome.FAIL, False, False, REJECT),
        (ReportedOutcome.FAIL, False, True, OTHER),
        (ReportedOutcome.ERROR, True, False, OTHER),
    ],
)
def test_a_run_differs_by_its_worst_measurement(
    reported: ReportedOutcome, *, has_failure: bool, has_error: bool, kind: DisagreementKind
) -> None:
    found = kind_of_run(reported, has_failure=has_failure, has_error=has_error)
    assert found is kind
