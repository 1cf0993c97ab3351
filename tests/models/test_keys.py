"""Keys come from a private file or the environment, and are never shown."""

from pathlib import Path

import pytest

from zhengwu.errors import SettingsError
from zhengwu.models.keys import read_keys


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_environment_comes_first_and_nothing_is_shown(tmp_path: Path) -> None:
    file = written(tmp_path / "keys", "# 密钥\nA_KEY=from-file\n\nB_KEY=other-secret\n")
    keys = read_keys({"A_KEY": "from-environment"}, file)
    assert keys["A_KEY"] == "from-environment"
    assert keys["B_KEY"] == "other-secret"
    assert repr(keys) == "Keys(A_KEY, B_KEY)"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match="chmod 600"):
        read_keys({}, written(tmp_path / "keys", "A=b", mode))


@pytest.mark.parametrize("line", ["A_KEY", "a_key=x", "A_KEY=two words", "=x", "secret-text"])
def test_a_wrong_line_is_named_but_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match="第 2 行") as caught:
        read_keys({}, written(tmp_path / "keys", f"A=b\n{line}\n"))
    assert line not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="无法读取"):
        read_keys({}, tmp_path / "none")
