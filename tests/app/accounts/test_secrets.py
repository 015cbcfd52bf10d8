import stat
from pathlib import Path

from pydantic import SecretStr

from app.accounts.secrets import load_pepper
from app.core.settings import Settings


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
