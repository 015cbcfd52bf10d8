import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import NotFoundError
from app.core.ids import format_sample_id, parse_sample_id, parse_uuid

SAMPLE_IDS = st.integers(0, 2**63 - 1)


class TestSampleId:
    @given(SAMPLE_IDS)
    def test_comes_back_as_it_went_out(self, number: int) -> None:
        assert parse_sample_id(format_sample_id(number)) == number

    @given(SAMPLE_IDS, SAMPLE_IDS)
    def test_text_order_is_number_order(self, one: int, other: int) -> None:
        assert (format_sample_id(one) < format_sample_id(other)) == (one < other)

    @pytest.mark.parametrize(
        "text",
        ["", "s1", "0" * 17, "s" + "A" * 16, "s" + "f" * 16, "s" + "0" * 17, "s" + "\uff10" * 16],
    )
    def test_malformed_is_unknown(self, text: str) -> None:
        with pytest.raises(NotFoundError):
            parse_sample_id(text)


class TestUuid:
    @pytest.mark.parametrize("text", ["", "x", "{00000000-0000-4000-8000-000000000000}", "0" * 32])
    def test_malformed_is_unknown(self, text: str) -> None:
        with pytest.raises(NotFoundError):
            parse_uuid(text, "job")
