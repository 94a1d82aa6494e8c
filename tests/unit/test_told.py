"""What agents tell of themselves: whatever it is, it can be shown, counted and sent on."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ui.told import FACTS_MAX, TEXT_MAX, agent_facts

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_what_an_agent_says_of_itself_stays_as_it_is() -> None:
    said = {"version": "1.2", "lag_s": 0.5, "read": 2**53, "refused": 0, "is_paused": False}
    assert agent_facts(said) == said


def test_what_nobody_could_count_or_show_is_left_out() -> None:
    told = {"read": 2**70, "lag_s": 10**400, "nan": float("nan"), "list": [1], "none": None}
    assert agent_facts(told) == {}
    assert agent_facts({"last_error": "x" * 9_999, "n" * 65: 1}) == {"last_error": "x" * TEXT_MAX}
    assert len(agent_facts({str(number): number for number in range(1_000)})) == FACTS_MAX


@given(st.dictionaries(st.text(), ANYTHING))
def test_it_can_always_be_sent_on(told: dict[str, object]) -> None:
    kept = agent_facts(told)
    assert kept.keys() <= told.keys()
    assert orjson.loads(orjson.dumps(kept)) == kept
