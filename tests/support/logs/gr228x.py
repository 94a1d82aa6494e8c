"""GR228X logs for the laws."""

from edge_agent.formats import Options
from tests.support.paths import FIXTURES

OPTIONS = Options(max_unit_bytes=1024)
PIECES = [
    b"F:\\BOARDS\\X_PROGRAM\\43420_BIO2.obc[31-JUL-12  14:17:35\r\n",
    b"other.OBC[31-JUL-12",
    b"@31-JUL-12  14:18:51 SN 65428553938829725787\n",
    b"@1-jan-2013 4:18:51 SN A 2\r\n",
    b"@31-XYZ-12  14:18:51 SN A3\n",
    b"@31-JUL-12  14:18:51\n",
    b"(F 300,301,303\n",
    b"(S 90,156 +\n",
    b"(O 397,398, +\r\n",
    b"(B 1\n(C 2\n",
    b" 201,202\n",
    b"(X 1\n",
    b"WATS_partNumber=123456\n",
    b"WATS_partRevision=C\nWATS_operator=\xe9\n",
    b"R508=100.20007K(92.919K,105.131K)R \n",
    b"R402=45.131532MEG(500K,)R \n",
    b"R211#10.636159(,)R \n",
    b"SETCR#(,)IS\n",
    b"V230<520.747483M(474.999994M,954.999983M)V \n",
    b"V230>1E999(,1e100)V =too high\n",
    b"C9%NAN(-1P,1U)CP\n",
    b"D108=\n",
    b"PS_OFF%(1.6,5.5)V \n",
    b"R1=1_0(1,2)R\n",
    b"R2=1(1;2)R\n",
    b"\x01=1(,)R\n",
    b"=1\n",
    b"]31-jul-12  14:32:13\n",
    b'"31-JUL-12  14:25:28\n',
    b"/31-JUL-12  14:19:49",
    b"?31-JUL-12  14:18:53\r\n",
    b"!31-JUL-12  14:18:53\n",
    b"*31-JUL-12  14:18:53\n",
    b"&99-JUL-12  14:18:53\n",
    b"\n",
    b"   \r\n",
    b"\xef\xbb\xbf",
    b"nonsense\n",
    b"\x00\xff\n",
    b"@31-JUL-12  14:18:51 SN " + b"x" * 1500 + b"\n",
]
_PROGRAM, _START, _ROW, _END = PIECES[0], PIECES[2], PIECES[14], PIECES[28]
GOOD = _PROGRAM + _START + _ROW + _END
TOO_LARGE = _START + _ROW * 20 + PIECES[7] * 40 + _END
SAMPLES = [
    FIXTURES / "gr228x/43420_BIO2.LOG",
    FIXTURES / "gr228x/43420_BIO2_Extended.LOG",
]
