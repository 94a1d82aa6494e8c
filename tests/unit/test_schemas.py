"""The generated papers: schemas take what the contract shows, AsyncAPI holds together."""

from typing import Any

import jsonschema
import pytest

from broker.schemas import SCHEMA_NAMES, asyncapi_document, json_schema
from broker.topics import Channel, TopicTemplate

FLAT = {
    "barcode": "SN-1001",
    "machine_id": "MACH-01",
    "product_id": "PROD-A",
    "test_step": "voltage_test",
    "measured_value": 85.5,
    "timestamp": "2026-11-23T10:00:00Z",
}
RUN = {
    "barcode": "PCB7-000217",
    "machine_id": "ICT-3",
    "product_id": "PCB-7",
    "procedure": "ICT",
    "started_at": "2025-03-04T06:11:09+01:00",
    "ended_at": "2025-03-04T06:11:40+01:00",
    "reported_outcome": "FAIL",
    "panel": {"id": "PCB7-P0031", "position": 2},
    "program": "pcb7_ict",
    "program_version": "1.4",
    "measurements": [
        {
            "test_step": "c17",
            "measured_value": 1.0231e-07,
            "unit": "F",
            "low": 8.0e-08,
            "high": 1.0e-07,
            "reported_outcome": "FAIL",
        },
        {
            "test_step": "shorts",
            "measured_value": True,
            "comparator": "EQ",
            "nominal": True,
            "reported_outcome": "PASS",
        },
    ],
    "message_id": "ict3-0007f2",
    "sequence": {"epoch": "8c1e", "seq": 2034},
    "source": {"file": "lot77.ict", "byte_start": 40112, "byte_end": 81960},
}
EXAMPLES = {
    "measurement": FLAT,
    "run": RUN,
    "receipt": {"message_ids": ["a"], "received_at": "2026-11-23T10:00:00Z"},
    "state": {"status": "online", "at": "2026-11-23T10:00:00Z", "session": "1", "agent": {"n": 1}},
    "check": {"request_id": "1", "barcode": "A", "product_id": "P", "procedure": "ICT"},
    "verdict": {
        "request_id": "1",
        "allowed": True,
        "reason": "ICT passed.",
        "answered_at": "2026-11-23T10:00:00Z",
    },
}


def errors(name: str, message: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(json_schema(name))
    return [error.message for error in validator.iter_errors(message)]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_schema_is_one(name: str) -> None:
    schema = json_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"{name}.json"
    assert schema["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_the_contract_shows_is_valid(name: str) -> None:
    assert errors(name, EXAMPLES[name]) == []


@pytest.mark.parametrize("message", [FLAT, RUN, [FLAT, RUN], [FLAT] * 5000])
def test_a_test_topic_takes_either_form_or_an_array(message: object) -> None:
    assert errors("test", message) == []


@pytest.mark.parametrize(
    "message", [[], [[FLAT]], {}, 7, None, [FLAT, 7], FLAT | {"measurements": []}]
)
def test_a_test_topic_takes_nothing_else(message: object) -> None:
    assert errors("test", message)


@pytest.mark.parametrize(
    "change",
    [
        {"barcode": ""},
        {"barcode": 7},
        {"barcode": "a\nb"},
        {"machine_id": "a/b"},
        {"measured_value": {}},
        {"low": "1"},
        {"low": True},
        {"comparator": "ABOUT"},
        {"reported_outcome": "GOOD"},
        {"sequence": {"epoch": "a", "seq": -1}},
    ],
)
def test_what_the_service_rejects_is_not_valid(change: dict[str, Any]) -> None:
    assert errors("measurement", FLAT | change)
    assert errors("test", FLAT | change)


def test_unknown_fields_are_allowed_in_and_not_out() -> None:
    assert errors("measurement", FLAT | {"colour": "red"}) == []
    assert errors("receipt", EXAMPLES["receipt"] | {"colour": "red"})


@pytest.mark.parametrize(
    "template",
    [
        "factory/v1/{line}/{machine_id}/{channel}",
        "{enterprise}/{site}/plant-7/{area}/{line}/{cell}/{machine_id}/{channel}",
        "t/{machine_id}/{channel}",
    ],
)
def test_the_asyncapi_document_holds_together(template: str) -> None:
    document = asyncapi_document(TopicTemplate(template))
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {channel.value for channel in Channel}
    for name, channel in document["channels"].items():
        assert channel["address"] == template.replace("{channel}", name)
        for parameter in channel["parameters"]:
            assert f"{{{parameter}}}" in channel["address"]
    operated = [each["channel"]["$ref"] for each in document["operations"].values()]
    assert sorted(operated) == sorted(f"#/channels/{channel.value}" for channel in Channel)
    for reference in references(document):
        if reference.startswith("#/"):
            assert resolve(document, reference)
        else:
            name = reference.removeprefix("./schemas/").removesuffix(".json")
            assert name in SCHEMA_NAMES


def test_a_check_is_replied_to_on_verdict_by_its_request_id() -> None:
    document = asyncapi_document(TopicTemplate("t/{machine_id}/{channel}"))
    replied = {
        name: each["reply"] for name, each in document["operations"].items() if "reply" in each
    }
    assert replied == {"receive_check": {"channel": {"$ref": "#/channels/verdict"}}}
    for name in ("check", "verdict"):
        location = document["components"]["messages"][name]["correlationId"]["location"]
        field = location.removeprefix("$message.payload#/")
        assert field in json_schema(name)["required"]


def test_what_is_retained_is_said() -> None:
    operations = asyncapi_document(TopicTemplate("t/{machine_id}/{channel}"))["operations"]
    retained = {name for name, each in operations.items() if each["bindings"]["mqtt"]["retain"]}
    assert retained == {"receive_state", "send_summary", "send_alert"}


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [each for value in part.values() for each in references(value)]
    return []


def resolve(document: dict[str, Any], reference: str) -> object:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
