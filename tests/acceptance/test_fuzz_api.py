"""Made-up calls for every operation of the OpenAPI document: each is answered as it says there."""

import os
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.support.product import Product, measurement
from tests.support.waiting import eventually_sync

Operation: TypeAlias = schemathesis.APIOperation[Any, Any, Any, Any]
Case: TypeAlias = schemathesis.Case[Any]

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "6"))
"""Calls for each operation."""
SEED: Final = int(os.environ.get("FUZZ_SEED", "7"))
ENDLESS: Final = "/api/v1/live"
"""A stream; it does not end by itself."""
LAST: Final = "POST /api/v1/users"
"""Once there is a user, everybody must log in."""
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("fuzzed"))
    yield started
    started.process.interrupt()
    started.process.stop()


def _fill(product: Product, session: requests.Session) -> None:
    """Store runs to be found, passed and failed."""
    values = (85.5, 82.0, 140.0, 0.0)
    product.post(*(measurement(f"B{value}", "fct-01", measured_value=value) for value in values))
    counted = f"{product.url}/api/v1/results/count"
    eventually_sync(lambda: session.get(counted, timeout=10).json()["count"] == len(values))


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation but endless ones; without tokens, which nobody needs where no users are."""
    del document["paths"][ENDLESS]
    for item in document["paths"].values():
        for described in item.values():
            described.pop("security", None)
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok)
        yield found.ok()


def _takes_something(operation: Operation) -> bool:
    return bool(operation.path_parameters or operation.query or operation.body)


def _calls(operation: Operation) -> st.SearchStrategy[Case]:
    """Calls as described and, where there is something to be wrong, such as are not."""
    valid = operation.as_strategy(GenerationMode.POSITIVE)
    if not _takes_something(operation):
        return valid
    return st.one_of(valid, operation.as_strategy(GenerationMode.NEGATIVE))


def test_each_made_up_call_is_answered_as_the_openapi_document_says(product: Product) -> None:
    faults: list[str] = []
    with requests.Session() as session:
        session.trust_env = False
        _fill(product, session)
        document = session.get(f"{product.url}/openapi.json", timeout=10).json()
        for operation in sorted(_operations(document), key=lambda each: each.label == LAST):
            faults += _faults(operation, product.url, session)
    assert not faults, "\n\n".join(faults)
    assert "Traceback" not in product.process.output


def _faults(operation: Operation, url: str, session: requests.Session) -> list[str]:
    """Return what is wrong with the answers to made-up calls of one operation."""
    found: list[str] = []

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES if _takes_something(operation) else 1,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_calls(operation))
    def ask(case: Case) -> None:
        response = case.call(base_url=url, session=session, timeout=20)
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            found.append(str(group))

    ask()
    return found
