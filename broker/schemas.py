"""The machine-readable contract: JSON Schema per message, AsyncAPI for the topics. Pure: no I/O.

Generated from the models of `broker.messages` and `broker.answers` and from the topic template, so
it cannot fall behind.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from broker.answers import Alert, MachineSummary, Receipt, Rejection, Result, Verdict
from broker.messages import ELEMENTS_MAX, Check, Measurement, Run, State
from broker.topics import ID_PATTERN, Channel, TopicTemplate

JsonObject = dict[str, Any]
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "measurement": Measurement,
    "run": Run,
    "result": Result,
    "rejection": Rejection,
    "receipt": Receipt,
    "state": State,
    "summary": MachineSummary,
    "alert": Alert,
    "check": Check,
    "verdict": Verdict,
}
SCHEMA_NAMES: Final = (*_MODELS, "test")
"""What `json_schema` knows. `test` is what may stand on a test topic."""


class _ChannelFacts(NamedTuple):
    schema: str
    action: str
    """What the service does there."""
    retained: bool
    words: str


_CHANNELS: Final[Mapping[Channel, _ChannelFacts]] = {
    Channel.TEST: _ChannelFacts(
        "test", "receive", retained=False, words="Test results, from a machine or agent."
    ),
    Channel.RESULT: _ChannelFacts(
        "result", "send", retained=False, words="Every run, judged and stored."
    ),
    Channel.RECEIPT: _ChannelFacts(
        "receipt", "send", retained=False, words="The service's word that messages are stored."
    ),
    Channel.REJECTED: _ChannelFacts(
        "rejection", "send", retained=False, words="What could not be understood, and why."
    ),
    Channel.STATE: _ChannelFacts(
        "state", "receive", retained=True, words="Birth, heartbeat and last will of a machine."
    ),
    Channel.SUMMARY: _ChannelFacts(
        "summary", "send", retained=True, words="A machine's live figures."
    ),
    Channel.ALERT: _ChannelFacts(
        "alert", "send", retained=True, words="An open alert; an empty body clears it."
    ),
    Channel.CHECK: _ChannelFacts(
        "check", "receive", retained=False, words="A machine asks: may this unit be run here?"
    ),
    Channel.VERDICT: _ChannelFacts(
        "verdict", "send", retained=False, words="The answer to a check, with its request_id."
    ),
}
_QUESTIONS: Final = (Channel.CHECK, Channel.VERDICT)
_REQUEST_ID: Final = {
    "description": "What a check and its verdict have in common.",
    "location": "$message.payload#/request_id",
}
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_PARAMETERS: Final[Mapping[str, str]] = {
    "enterprise": "The enterprise.",
    "site": "The site.",
    "area": "The area.",
    "line": "The machine's line; `unassigned` where none is known.",
    "cell": "The cell.",
    "machine_id": "The test position that publishes.",
}


@cache
def json_schema(name: str) -> JsonObject:
    """Return the JSON Schema (draft 2020-12) of one message, complete in itself.

    Raises:
        KeyError: `name` is none of SCHEMA_NAMES.
    """
    schema = _test_schema() if name == "test" else _MODELS[name].model_json_schema()
    return {"$schema": _DRAFT, "$id": f"{name}.json", **schema}


def _test_schema() -> JsonObject:
    """Return the schema of a test topic: a Measurement, a Run, or an array of them.

    What has `measurements` is a Run, as the service reads it.
    """
    definitions: JsonObject = {}
    for model in (Measurement, Run):
        schema = model.model_json_schema()
        definitions |= schema.pop("$defs", {})
        definitions[model.__name__] = schema
    one = [
        {
            "allOf": [
                {"$ref": "#/$defs/Measurement"},
                {"not": {"required": ["measurements"]}},
            ]
        },
        {"$ref": "#/$defs/Run"},
    ]
    many = {
        "type": "array",
        "minItems": 1,
        "maxItems": ELEMENTS_MAX,
        "items": {"oneOf": one},
    }
    return {
        "title": "Test",
        "description": "What a machine or agent publishes.",
        "oneOf": [*one, many],
        "$defs": definitions,
    }


def asyncapi_document(template: TopicTemplate) -> JsonObject:
    """Return the AsyncAPI 3.0 document of the topics; schemas are referred to, beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Yieldline",
            "version": version("yieldline"),
            "description": "Test results in, judged results out. Everything at QoS 1, JSON, UTF-8.",
        },
        "defaultContentType": "application/json",
        "channels": {channel.value: _channel(channel, template) for channel in Channel},
        "operations": {
            f"{facts.action}_{channel.value}": _operation(channel, facts)
            for channel, facts in _CHANNELS.items()
        },
        "components": {
            "messages": {channel.value: _message(channel) for channel in Channel},
            "parameters": {
                name: {"description": f"{words} Matches {ID_PATTERN}"}
                for name, words in _PARAMETERS.items()
                if f"{{{name}}}" in template.text
            },
        },
    }


def _channel(channel: Channel, template: TopicTemplate) -> JsonObject:
    address = template.text.replace("{channel}", channel.value)
    return {
        "address": address,
        "description": _CHANNELS[channel].words,
        "messages": {channel.value: {"$ref": f"#/components/messages/{channel.value}"}},
        "parameters": {
            name: {"$ref": f"#/components/parameters/{name}"}
            for name in _PLACEHOLDER.findall(address)
        },
    }


def _operation(channel: Channel, facts: _ChannelFacts) -> JsonObject:
    operation: JsonObject = {
        "action": facts.action,
        "channel": {"$ref": f"#/channels/{channel.value}"},
        "summary": facts.words,
        "bindings": {"mqtt": {"qos": 1, "retain": facts.retained, "bindingVersion": "0.2.0"}},
    }
    if channel is Channel.CHECK:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{Channel.VERDICT.value}"}}
    return operation


def _message(channel: Channel) -> JsonObject:
    asks = {"correlationId": _REQUEST_ID} if channel in _QUESTIONS else {}
    return {
        **asks,
        "name": channel.value,
        "contentType": "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{_CHANNELS[channel].schema}.json"},
        },
    }
