"""Takaya logs for the laws."""

from edge_agent.formats import Options
from tests.support.paths import FIXTURES

OPTIONS = Options(max_unit_bytes=4096)
HEAD_CELLS = ["Group_No.", *["x"] * 54, "Function", "Debug_status(Comment)", "Aux."]


def row(**cells: str) -> bytes:
    """A row of 58 cells; `c16="OPEN"` sets the sixteenth."""
    found = ["01", "000002", "R7   ", "10", "KO", "P2036764  ", "*", "1    ", "GND   ", "2", "NVG "]
    found += ["0", "*", "0", "*", "PASS   ", "R ", "10000", "10.00", "KO"]
    found += ["R ", "9970", "9.97", "KO", "R ", "0", "........", "", "1/3/2023", "8:20:27", "DC-CC"]
    found += ["Range 5", "2.0 ms", "+1%", "-2%", *["x"] * 20, "**", "---", ""]
    for key, cell in cells.items():
        found[int(key[1:]) - 1] = cell
    return "\t".join(found).encode("cp1252") + b"\n"


HEAD = (
    b"@\n* FAIL *\nD.T:27    D.P:24    D.F:3    G.T:434   G.P:412   G.F:22   \n"
    b"Model:V1_BOT.SWX\nDATE 20/4/2023 13:02:39\n\nTest time:14 s\nTest ID :TAK4\n"
    b"User name :An Operator\n@\n"
)
COLUMNS = "\t".join(HEAD_CELLS).encode() + b"\n"


def board(position: str, rows: bytes, *, verdict: str = "PASS", serial: str = "A1") -> bytes:
    """A board with its column head."""
    head = f"\n* GROUP No.{position}   *\n* {verdict} *\nD.T:1    D.P:1    D.F:0    \n"
    return f"{head}Serial No.:{serial}\n\n".encode() + COLUMNS + rows


PIECES = [
    HEAD,
    b"@\n",
    b"@\r\n",
    b"* GROUP No.1   *\n",
    b"* GROUP No.x   *\r\n",
    b"* PASS *\n",
    b"* NO-TEST *\n",
    b"D.T:24    D.P:24    D.F:0    \n",
    b"Serial No.:0601994566\n",
    b"Serial No.:12345 - SN0001 (FP1 - OP01)\n",
    b"Model:V2.swx\nDATE 1/3/2023 08:20:27\n",
    b"DATE 3/20/2023 08:20:27\n",
    b"Lot No.:7\nUser name :\xe9\n",
    COLUMNS,
    b"Group_No.\tFunction\n",
    row(),
    row(c16="......"),
    row(c16="LOW-NG", c26="9.5E3", c27="9.50"),
    row(c56="E", c58="1"),
    row(c56="OP", c23="........"),
    row(c22="1_0"),
    row()[:200] + b"\n",
    b'000932 "P2P1       " "P-Auto     " "VNET1-VNET2           " 326   330   "OP"\n',
    b'#############"Main header"############\n',
    b"Model: 289-0254-4.0\n",
    b"\n",
    b"\t\t\r\n",
    b"\xef\xbb\xbf",
    b"nonsense\n",
    b"\x00\xff\n",
    b"@",
    b"* GROUP No.2 *\n* PASS *\n" + b"x" * 5000 + b"\n",
    HEAD + board("1", row()) + board("2", row(), verdict="NO-TEST", serial="") + b"@\n",
]
GOOD = HEAD + board("1", row()) + b"@\n"
TOO_LARGE = HEAD + board("1", row() * 30) + b"@\n"
SAMPLES = [
    FIXTURES / "takaya/V682780_B_BOT-20230301082027.ATD",
    FIXTURES / "takaya/PB2939800_E_BOT-20230420130239.ATD",
]
