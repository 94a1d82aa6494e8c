"""May this unit be run here?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import SettingsError
from broker.messages import Outcome
from broker.settings import Settings, load_settings
from service.core.routes import (
    KnownUnit,
    Permission,
    Progress,
    may_go_to,
    may_run,
    next_procedure,
)

ROUTE = ("ICT", "AOI", "FCT")


def settings(**product: Any) -> Settings:  # noqa: ANN401 - fields of ProductSettings
    return Settings.model_validate(
        {
            "products": {"PCB-7": {"route": ROUTE, **product}},
            "plant": {"golden_barcodes": ["GOLD-*"]},
            "machines": {"FCT-12": {"procedures": ["FCT", "EOL"]}, "M2": {}},
        }
    )


def unit(barcode: str = "SN-1", product_id: str = "PCB-7", **last: str) -> KnownUnit:
    """Return a unit; `FCT="2 FAIL"` is two runs, of which the last was FAIL."""
    progress = {
        procedure: Progress(int(said.split()[0]), Outcome(said.split()[1]))
        for procedure, said in last.items()
    }
    return KnownUnit(barcode, product_id, progress)


def yes(procedure: str, reason: str) -> Permission:
    return Permission(procedure, allowed=True, reason=reason)


@pytest.mark.parametrize(
    ("known", "procedure", "allowed", "reason"),
    [
        (unit(), "ICT", True, "ICT is the first procedure of PCB-7."),
        (unit(), "AOI", False, "ICT comes before AOI, and was not run."),
        (unit(ICT="1 PASS"), "AOI", True, "It has passed what comes before AOI: ICT."),
        (unit(ICT="1 PASS"), "FCT", False, "AOI comes before FCT, and was not run."),
        (
            unit(ICT="1 PASS", AOI="2 FAIL"),
            "FCT",
            False,
            "AOI comes before FCT, and its last run was FAIL.",
        ),
        (
            unit(ICT="1 UNJUDGED"),
            "AOI",
            False,
            "ICT comes before AOI, and its last run was UNJUDGED.",
        ),
        (
            unit(ICT="1 PASS", AOI="2 PASS"),
            "FCT",
            True,
            "It has passed what comes before FCT: ICT, AOI.",
        ),
        (unit(ICT="1 PASS"), "ICT", True, "It has passed ICT already, and may be run again."),
        (unit(ICT="9 ERROR"), "ICT", True, "Its last run of ICT was ERROR; it may be run again."),
        (unit(ICT="1 PASS"), "EOL", False, "EOL is not on the route of PCB-7: ICT, AOI, FCT."),
    ],
)
def test_a_unit_goes_its_products_way(
    known: KnownUnit, procedure: str, *, allowed: bool, reason: str
) -> None:
    found = may_run(settings(), known, procedure)
    assert found == Permission(procedure, allowed=allowed, reason=reason)


def test_a_product_without_a_route_may_be_run_anywhere() -> None:
    known = unit(product_id="OTHER", FCT="1 FAIL")
    said = may_run(settings(), known, "ICT")
    assert said == yes("ICT", "OTHER has no route: any procedure may be run.")
    assert next_procedure(settings(), known) is None
    assert [each.procedure for each in may_go_to(settings(), known)] == ["FCT"]


@pytest.mark.parametrize(
    ("retests_max", "said", "allowed"),
    [(None, "99 FAIL", True), (0, "1 FAIL", False), (2, "2 FAIL", True), (2, "3 PASS", False)],
)
def test_a_unit_is_run_as_often_as_the_retest_limit_lets_it(
    retests_max: int | None, said: str, *, allowed: bool
) -> None:
    found = may_run(settings(retests_max=retests_max), unit(ICT=said), "ICT")
    assert found.allowed is allowed
    if not allowed:
        word = "run" if said[0] == "1" else "runs"
        assert found.reason == f"It has had {said[0]} {word} of ICT, and no retest is left."


def test_a_retest_limit_needs_no_route() -> None:
    limited = settings(route=(), retests_max=1)
    assert may_run(limited, unit(ICT="1 FAIL"), "ICT").allowed
    assert not may_run(limited, unit(ICT="2 FAIL"), "ICT").allowed


def test_a_golden_sample_may_be_run_anywhere_and_always() -> None:
    golden = unit("GOLD-3", FCT="80 FAIL")
    said = may_run(settings(retests_max=1), golden, "FCT", "M2")
    assert said == yes("FCT", "A golden sample may be run anywhere.")


def test_a_machine_that_runs_something_else_refuses() -> None:
    said = may_run(settings(), unit(), "ICT", "FCT-12")
    reason = "FCT-12 runs FCT, EOL, not ICT."
    assert said == Permission("ICT", allowed=False, reason=reason)
    for machine_id in ("M2", "unheard-of", None):
        assert may_run(settings(), unit(), "ICT", machine_id).allowed


def test_what_comes_next_is_the_first_that_is_not_passed() -> None:
    assert next_procedure(settings(), unit()) == "ICT"
    assert next_procedure(settings(), unit(ICT="1 PASS", AOI="1 FAIL")) == "AOI"
    done = unit(ICT="1 PASS", AOI="3 PASS", FCT="1 PASS")
    assert next_procedure(settings(), done) is None
    again = unit(ICT="2 FAIL", AOI="3 PASS", FCT="1 PASS")
    assert next_procedure(settings(), again) == "ICT"


def test_where_a_unit_may_go_is_told_in_the_order_of_the_route() -> None:
    found = may_go_to(settings(), unit(AOI="1 PASS", ICT="1 PASS"))
    assert [(each.procedure, each.allowed) for each in found] == [
        ("ICT", True),
        ("AOI", True),
        ("FCT", True),
    ]


@given(
    said=st.dictionaries(
        st.sampled_from(ROUTE), st.tuples(st.integers(1, 5), st.sampled_from(Outcome))
    ),
    retests_max=st.none() | st.integers(0, 5),
)
def test_what_comes_next_is_allowed_as_long_as_a_retest_is_left(
    said: dict[str, tuple[int, Outcome]], retests_max: int | None
) -> None:
    known = KnownUnit("SN-1", "PCB-7", {key: Progress(*each) for key, each in said.items()})
    limited = settings(retests_max=retests_max)
    coming = next_procedure(limited, known)
    if coming is None:
        return
    runs = known.progress[coming].runs if coming in known.progress else 0
    has_retest = retests_max is None or runs <= retests_max
    found = may_run(limited, known, coming)
    assert found.allowed is has_retest
    assert found.reason.endswith(".")


@pytest.mark.parametrize("route", ['["ICT", "ICT"]', '["ICT", ""]'])
def test_a_route_names_each_procedure_once(route: str, tmp_path: Any) -> None:  # noqa: ANN401
    file = tmp_path / "yieldline.toml"
    file.write_text(f'[products."PCB-7"]\nroute = {route}\n', "utf-8")
    with pytest.raises(SettingsError, match=r"products\.PCB-7\.route: each procedure of a route"):
        load_settings(file)
