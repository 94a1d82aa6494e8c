"""OCP artifacts for the laws, and a log of shape 2.0, written by hand after the specification."""

import json
from collections.abc import Mapping

from edge_agent.formats import Options
from tests.support.paths import FIXTURES

OPTIONS = Options(max_unit_bytes=1024)
_TIMESTAMP = "2022-07-25T04:49:25.262947Z"


def line(artifact: Mapping[str, object], number: object = None) -> bytes:
    numbered = {} if number is None else {"sequenceNumber": number}
    return json.dumps({**artifact, **numbered, "timestamp": _TIMESTAMP}).encode() + b"\n"


def run(number: object = None, **artifact: object) -> bytes:
    return line({"testRunArtifact": artifact}, number)


def step(number: object = None, **artifact: object) -> bytes:
    return line({"testStepArtifact": {**artifact, "testStepId": "1"}}, number)


VERSION = line({"schemaVersion": {"major": 2, "minor": 0}}, 0)
START = run(1, testRunStart={"name": "mlc", "version": "1.0", "dutInfo": {"dutInfoId": "A1"}})
END = run(5, testRunEnd={"status": "COMPLETE", "result": "PASS"})
_MEASUREMENT = step(3, measurement={"name": "speed", "value": 1.5, "hardwareInfoId": "5"})
GOOD = START + step(2, testStepStart={"name": "fan"}) + _MEASUREMENT + END
TOO_LARGE = START + _MEASUREMENT * 20 + END
PIECES = [
    GOOD,
    VERSION,
    START,
    START.replace(b"1, ", b"0, "),
    run(1, testRunStart={"name": 7, "dutInfo": [7, {"hostname": "h"}]}),
    run(1, testRunStart=None),
    run(3, log={"severity": "INFO", "text": "hello"}),
    run(9, error={"symptom": "procedural", "message": "no"}),
    step(2, testStepStart={"name": "fan"}),
    step(3, measurement={"name": "speed", "value": 1.5, "hardwareInfoId": "5"}),
    step(3, measurement={"info": {"name": "x", "unit": "V"}, "element": {"value": float("nan")}}),
    step(3, measurement={"name": "speed", "value": [1]}),
    step(4, measurementSeriesStart={"measurementSeriesId": "0", "name": "s"}),
    step(4, measurementElement={"measurementSeriesId": "0", "value": True}),
    step(5, measurementSeriesEnd={"measurementSeriesId": "0", "totalMeasurementCount": 2}),
    step("x", diagnosis={"verdict": "ok", "type": "PASS", "hardwareInfoId": ["1", 2, None]}),
    step(10**30, surprise={}),
    step(-1),
    END,
    END.rstrip(),
    run(7, testRunEnd={"status": "ERROR", "result": "NOT_APPLICABLE"}),
    b'{"testRunArtifact": 7}\n',
    b'{"a": 1}\n',
    b"[" * 2000 + b"\n",
    b'{"testStepArtifact": {"measurement": "' + b"x" * 1500 + b'"}}\n',
    b"\n",
    b"  \r\n",
    b"\xef\xbb\xbf",
    b"nonsense\n",
    b"\x00\xff\xb0\n",
]
SAMPLES = [FIXTURES / "ocp/fanspeed_test.jsonl"]
