"""How names are written and compared, so that no two look alike. Knows no table.

Allowed are Chinese characters, ASCII letters and digits, and a few marks. Letters of other
scripts that look like these (Cyrillic а, Greek ο, fullwidth Ａ) cannot stand in for them.
See Unicode Technical Standard 39, https://www.unicode.org/reports/tr39/.
"""

import re
import unicodedata

from zhengwu.gateway.tenancy.errors import BadName

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f"
UNIT = re.compile(rf"[{HAN}A-Za-z0-9()·_.\- ]{{1,100}}")
USER = re.compile(rf"[{HAN}a-z0-9._\-]{{2,32}}")


def unit_name(text: str) -> tuple[str, str]:
    """A name of a unit or key as it is shown, and as it is compared.

    Raises:
        BadName: it is empty, too long, or holds other characters.
    """
    name = " ".join(_normal(text).split())
    if not UNIT.fullmatch(name):
        raise BadName(f"名称“{_short(text)}”无效：应为 1 至 100 个汉字、字母、数字或（）·_-. 。")
    return name, name.casefold().replace(" ", "")


def user_name(text: str) -> str:
    """A user name as it is stored and compared.

    Raises:
        BadName: it is empty, too long, or holds other characters.
    """
    name = _normal(text).casefold()
    if not USER.fullmatch(name):
        raise BadName(f"用户名“{_short(text)}”无效：应为 2 至 32 个汉字、英文字母、数字或 . _ - 。")
    return name


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:500]).strip() if len(text) <= 500 else ""


def _short(text: str) -> str:
    return "".join(char for char in text[:20] if char.isprintable())
