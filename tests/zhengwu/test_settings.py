"""Settings: defaults that run, and wrong values that name the variable to correct."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from zhengwu.errors import SettingsError
from zhengwu.settings import Settings, read_settings


def test_defaults_need_nothing() -> None:
    settings = read_settings()
    assert settings.profile == "embedded"
    assert settings.home.is_absolute() and "~" not in str(settings.home)
    assert settings.database == f"sqlite+aiosqlite:///{settings.home}/zhengwu.db"
    assert settings.run_dir.parent == settings.log_dir.parent == settings.home
    assert settings.store_dir.parent == settings.home


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZHENGWU_HOME", str(tmp_path / "家 目录"))
    monkeypatch.setenv("ZHENGWU_WEIGHT_SOURCES", "folder, pypi")
    monkeypatch.setenv("ZHENGWU_DATABASE_URL", "postgresql+psycopg://u@h/d")
    settings = read_settings()
    assert settings.home == tmp_path / "家 目录"
    assert settings.weight_sources == ("folder", "pypi")
    assert settings.database == "postgresql+psycopg://u@h/d"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_PORT", "0"),
        ("GATEWAY_PORT", "65536"),
        ("POOL_PORT", "abc"),
        ("RAY_PORT", "6379"),
        ("PROFILE", "cloud"),
        ("WEIGHT_SOURCES", "folder,ftp"),
        ("HUB_TIMEOUT_S", "0"),
        ("MAX_QUESTION_CHARS", "9"),
        ("MAX_UPLOAD_MB", "999999"),
    ],
)
def test_a_wrong_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ZHENGWU_{name}", value)
    with pytest.raises(SettingsError, match=rf"ZHENGWU_{name}: ") as caught:
        read_settings()
    assert isinstance(caught.value.__cause__, ValidationError)
    assert caught.value.code == "settings"


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="ZHENGWU_COLOUR"):
        read_settings(colour="red")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().gateway_port = 1  # pyright: ignore[reportAttributeAccessIssue]
