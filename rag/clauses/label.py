"""Labels as a reader says them: spaces inside words closed, length bounded."""

import re

MAX = 120
_SPREAD = re.compile(
    r"(?<![\u4e00-\u9fff])([\u4e00-\u9fff])\s+([\u4e00-\u9fff])(?![\u4e00-\u9fff])"
)


def tidy(text: str) -> str:
    """Close “总 则”, collapse white space, and cut what is too long for a label."""
    flat = " ".join(text.split())
    flat = _SPREAD.sub(r"\1\2", flat)
    return flat if len(flat) <= MAX else flat[: MAX - 1] + "…"
