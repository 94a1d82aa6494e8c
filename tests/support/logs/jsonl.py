"""Lines of contract messages for the laws."""

from edge_agent.formats import Options

OPTIONS = Options(max_unit_bytes=1024)
FLAT = (
    b'{"barcode":"S1","product_id":"P","test_step":"v","measured_value":1.5,'
    b'"timestamp":"2026-11-23T10:00:00Z"}'
)
PIECES = [
    FLAT + b"\n",
    FLAT + b"\r\n",
    FLAT,
    b"[" + FLAT + b"," + FLAT + b"]\n",
    b"[]\n",
    b"{}\n",
    b"\n",
    b"{\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe\n",
    b'{"a":NaN}\n',
    b"[" * 2000 + b"\n",
    b"1e999\n",
]
GOOD = FLAT + b"\n"
TOO_LARGE = b'{"barcode":"' + b"x" * 5000 + b'"}\n'
SAMPLES = []
