"""OpenHTF records for the laws."""

from edge_agent.formats import Options
from tests.support.paths import FIXTURES

OPTIONS = Options(max_unit_bytes=1024)
_HEAD = b'{"dut_id": "A1", "start_time_millis": 1795473168833, "end_time_millis": null,'
_METADATA = b'"outcome": "PASS", "metadata": {"test_name": "fct", "part_number": "P"},'
_PHASES = (
    b'"phases": [{"name": "up", "measurements": {"v": {"outcome": "PASS", "measured_value": 1}}}]'
)
GOOD = _HEAD + _METADATA + _PHASES + b"}\n"
TOO_LARGE = _HEAD + _METADATA + b'"log_records": ["' + b"x{}[" * 1000 + b'"],' + _PHASES + b"}\n"
PIECES = [
    GOOD,
    GOOD.replace(b" ", b"\r\n\t"),
    GOOD.rstrip(),
    _HEAD,
    _METADATA,
    _PHASES,
    b"}",
    b'"',
    b'"text with { \\" and }',
    b'\\{"',
    b'{"dut_id": "A2", "x": {"phases": {"dut_id": "}", "phases": []}}}',
    b'{"dut_id": 7, "phases": null}',
    b'{"dut_id": "A", "phases": [7], "metadata": 7}',
    b'{"dut_id" : NaN, "phases"\n: [-Infinity, 1e999, tru',
    b"e, nul",
    b"l]}",
    b"[",
    b"]",
    b'{"a":' * 150,
    b"\n",
    b" \r\n",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b"\xff\x00",
    b'"\xb0C\xe9"',
    b"nonsense\n",
]
SAMPLES = [FIXTURES / "openhtf/openhtf_pass.json", FIXTURES / "openhtf/openhtf_fail.json"]
