from app.accounts.service import find_key_id, hash_key, make_key


class TestKey:
    def test_tells_its_public_id(self) -> None:
        key_id, key = make_key()
        assert find_key_id(key) == key_id
        assert key.startswith(f"la_live_{key_id}_")
        assert len(key) == len("la_live_") + 8 + 1 + 43 + 6

    def test_with_a_typing_error_is_refused_by_its_checksum(self) -> None:
        _, key = make_key()
        for place in range(len("la_live_"), len(key)):
            typo = "a" if key[place] != "a" else "b"
            assert find_key_id(key[:place] + typo + key[place + 1 :]) is None

    def test_hash_depends_on_the_pepper(self) -> None:
        _, key = make_key()
        assert hash_key(key, b"one") != hash_key(key, b"other")
