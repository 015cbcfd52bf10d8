import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidRequestError
from app.http.bodies import FormReader, PartHead
from app.http.errors import TruncatedUploadError, UnsupportedMediaTypeError

TYPE = 'multipart/form-data; boundary="edge"'
BODY = (
    b'--edge\r\nContent-Disposition: form-data; name="audit"\r\n\r\nnone\r\n'
    b"--edge\r\nContent-Type: application/zip\r\n"
    b'Content-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\n'
    b"\r\n--edg\r\n-- PK \r\n--edge--\r\n"
)
PARTS = [
    (PartHead("audit", None), b"none"),
    (PartHead("file", "x.zip"), b"\r\n--edg\r\n-- PK "),
]


class Collected:
    def __init__(self) -> None:
        self.whole: list[tuple[PartHead, bytes]] = []

    def begin(self, head: PartHead) -> None:
        self.head, self.content = head, b""

    def write(self, chunk: memoryview) -> None:
        self.content += chunk

    def end(self) -> None:
        self.whole.append((self.head, self.content))


class TestFormReader:
    @given(st.lists(st.integers(0, len(BODY)), max_size=8).map(sorted))
    def test_finds_the_same_parts_wherever_the_body_is_cut(self, cuts: list[int]) -> None:
        sink = Collected()
        reader = FormReader(TYPE, sink)
        for start, end in zip([0, *cuts], [*cuts, len(BODY)], strict=True):
            reader.feed(BODY[start:end])
        reader.finish()
        assert sink.whole == PARTS

    @pytest.mark.parametrize("length", [0, 10, 60, len(BODY) - 10])
    def test_notices_a_missing_end(self, length: int) -> None:
        reader = FormReader(TYPE, Collected())
        reader.feed(BODY[:length])
        with pytest.raises(TruncatedUploadError):
            reader.finish()

    @pytest.mark.parametrize(
        "body",
        [
            b"not a form at all",
            b"--edge\r\n\r\nno name\r\n--edge--\r\n",
            b'--edge\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\r\n--edge--\r\n',
            b"--edge\r\n" + b"X: y\r\n" * 1000,
            b"--edge\r\nX: " + b"y" * 100_000,
        ],
    )
    def test_refuses_what_is_no_form(self, body: bytes) -> None:
        with pytest.raises(InvalidRequestError):
            FormReader(TYPE, Collected()).feed(body)

    @pytest.mark.parametrize(
        "content_type", ["", "application/json", "multipart/mixed; boundary=x"]
    )
    def test_refuses_other_types(self, content_type: str) -> None:
        with pytest.raises(UnsupportedMediaTypeError):
            FormReader(content_type, Collected())

    @pytest.mark.parametrize("boundary", ["", "; boundary=", f"; boundary={'x' * 300}"])
    def test_refuses_an_unusable_boundary(self, boundary: str) -> None:
        with pytest.raises(InvalidRequestError):
            FormReader(f"multipart/form-data{boundary}", Collected())
