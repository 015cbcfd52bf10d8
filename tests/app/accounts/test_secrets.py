import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.accounts.secrets import load_pepper, load_signing_key
from app.core.settings import Settings
from app.core.signing import SigningKey


class TestPepper:
    def test_is_made_once_and_private(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path / "data")
        pepper = load_pepper(settings)
        file = tmp_path / "data" / "secret"
        assert len(pepper) == 32
        assert load_pepper(settings) == pepper
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in file.parent.iterdir()] == ["secret"]

    def test_comes_from_the_settings_where_set(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path / "data", secret=SecretStr("pepper"))
        assert load_pepper(settings) == b"pepper"
        assert not (tmp_path / "data").exists()


class TestSigningKey:
    def test_is_made_once_and_private(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path / "data")
        key = load_signing_key(settings)
        file = tmp_path / "data" / "signing-key"
        assert load_signing_key(settings).key_id == key.key_id
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert load_signing_key(Settings(data_dir=tmp_path / "other")).key_id != key.key_id

    def test_comes_from_the_settings_where_set(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path / "data", signing_key=SecretStr("07" * 32))
        assert load_signing_key(settings).public == SigningKey(bytes([7] * 32)).public
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("text", ["", "xyz", "07" * 31, "07" * 33])
    def test_that_is_none_is_named_without_being_shown(self, tmp_path: Path, text: str) -> None:
        settings = Settings(data_dir=tmp_path, signing_key=SecretStr(text))
        with pytest.raises(ValueError, match="LABELAUDIT_SIGNING_KEY has to be 64") as caught:
            load_signing_key(settings)
        assert not text or text not in str(caught.value)
