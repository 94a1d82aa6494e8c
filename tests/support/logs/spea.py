"""SPEA logs for the laws."""

from edge_agent.formats import Options
from tests.support.paths import FIXTURES

OPTIONS = Options(max_unit_bytes=1024)
PIECES = [
    b"FORMAT;mmdd\n",
    b"FORMAT;ddmm\r\n",
    b"FORMAT;what\n",
    b"START;Programme;prog;1.0;prod;op;10/12/2024;16:15:03\n",
    b"START;Programme;prog;1.0;prod;op;13/12/2024;16:15:03\n",
    b"LOT;7\n",
    b"ANL;1;C1;1;1;first;;PASS;1.0;0.5;2.0;V;;1\n",
    b"ANL;1;C1;1;2;\xb5F \xe9;;FAIL(+);-NAN;0.5;2.0;O;;2\n",
    b"ANL;2;C1;1;1;other site;;PASS;1.0;0.5;2.0;V;;1\n",
    b"FUNC;1;FKT;0;1000;function;;PASS;0;0;0;;\n",
    b"FUNC;1;FKT;0;1000;broken row;;PA\n",
    b"SN;A1\n",
    b"SN;A2\r\n",
    b"BOARDRESULT;PASS\n",
    b"END;PASS;10/12/2024;16:15:22\n",
    b"END;FAIL;10/12/2024;16:15:22",
    b"END\n",
    b"\n",
    b"   \r\n",
    b"\xef\xbb\xbf",
    b"nonsense\n",
    b"\x00\xff\n",
    b"START;" + b"x" * 1500 + b"\n",
]
_HEAD, _ROW, _FOOT = PIECES[0] + PIECES[3], PIECES[6], PIECES[11] + PIECES[14]
GOOD = _HEAD + _ROW + _FOOT
TOO_LARGE = _HEAD + _ROW * 100 + _FOOT
SAMPLES = [FIXTURES / "spea/testdata_SN9871234012.csv"]
