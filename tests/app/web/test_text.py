import pytest

from app.web.text import between, rate, size


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.0, "0 %"), (1.0, "100 %"), (0.4249, "42 %"), (0.0423, "4.2 %"), (0.00423, "0.42 %"),
        (0.00001, "less than 0.01 %"),
    ],
)  # fmt: skip
def test_small_shares_keep_their_digits(fraction: float, words: str) -> None:
    assert rate(fraction).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.012, 0.18), "between 1.2 % and 18 %"), ((0.0, 0.18), "at most 18 %"),
        ((0.05, 1.0), "at least 5.0 %"), ((0.101, 0.102), "about 10 %"),
        ((0.0, 1.0), "between 0 % and 100 %"),
    ],
)  # fmt: skip
def test_ranges_are_words(interval: tuple[float, float], words: str) -> None:
    assert between(interval).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("num_bytes", "words"),
    [(1, "1 byte"), (999, "999 bytes"), (12_345, "12.3 kB"), (123_456_789, "123 MB"),
     (5 * 10**9, "5.0 GB")],
)  # fmt: skip
def test_sizes_are_written_in_units_of_a_thousand(num_bytes: int, words: str) -> None:
    assert size(num_bytes) == words
