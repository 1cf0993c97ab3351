"""Real PDF files for the parsers, written by hand with a standard Chinese font."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Text = tuple[float, float, float, str]
"""x, y (from the bottom), size, words."""
Segment = tuple[float, float, float, float]
PdfMaker = Callable[..., Path]


def _content(texts: Sequence[Text], segments: Sequence[Segment]) -> bytes:
    out = ["BT"]
    for x, y, size, words in texts:
        hexed = words.encode("utf-16-be").hex()
        out.append(f"/F1 {size} Tf 1 0 0 1 {x} {y} Tm <{hexed}> Tj")
    out.append("ET")
    out += [f"{a} {b} m {c} {d} l S" for a, b, c, d in segments]
    return "\n".join(out).encode()


def _assemble(objects: Sequence[bytes], trailer: str) -> bytes:
    data = b"%PDF-1.6\n"
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\n"
    return data + head.encode() + b"startxref\n%d\n%%%%EOF\n" % start


@pytest.fixture
def make_pdf(tmp_path: Path) -> PdfMaker:
    """Write a PDF of pages given as texts and ruling lines; A4, points from the lower left."""

    def make(
        pages: Sequence[Sequence[Text]],
        segments: Sequence[Segment] = (),
        name: str = "文件.pdf",
        encrypted: bool = False,
    ) -> Path:
        first = 6
        kids = " ".join(f"{first + 2 * i} 0 R" for i in range(len(pages)))
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
            b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H"
            b" /DescendantFonts [4 0 R] >>",
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /CIDSystemInfo"
            b" << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /FontDescriptor 5 0 R >>",
            b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox"
            b" [0 -200 1000 900] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880"
            b" /StemV 80 >>",
        ]
        for index, texts in enumerate(pages):
            content = _content(texts, segments)
            objects.append(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents"
                f" {first + 2 * index + 1} 0 R /Resources << /Font << /F1 3 0 R >> >> >>".encode()
            )
            objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        trailer = ""
        if encrypted:  # a password nobody knows: the check value fits none
            objects.append(
                b"<< /Filter /Standard /V 1 /R 2 /P -44 /O <%s> /U <%s> >>"
                % (b"5a" * 32, b"a5" * 32)
            )
            trailer = f"/Encrypt {len(objects)} 0 R /ID [<00> <00>]"
        path = tmp_path / name
        path.write_bytes(_assemble(objects, trailer))
        return path

    return make
