"""What a request may take at most, in tokens and money, before a model has seen it.

By characters, in one pass without a tokenizer: Chinese and other scripts beyond two UTF-8 bytes
one token a character (Qwen and DeepSeek take about 0.6), ASCII one token for two characters (about
four in prose, fewer in digits and code), whatever is between one a character. It is a ceiling to
reserve; what is charged is what the upstream counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any, Protocol, cast

DEFAULT_OUTPUT = 2048
"""Output tokens reserved where the request sets no limit of its own."""
MEDIA_TOKENS = 1024
"""An image, or another `data:` URL, counts as this many."""
PER_ITEM = 4
"""What the chat template adds to a message or a field."""
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
NO_OUTPUT = frozenset({"embeddings", "rerank"})


class Priced(Protocol):
    """What a seller takes, in CNY per million tokens: that is micro-yuan a token."""

    @property
    def input(self) -> float:
        """For a token that goes in."""
        ...

    @property
    def output(self) -> float:
        """For a token that comes out."""
        ...


def tokens_of(text: str) -> int:
    """The most tokens that `text` is likely to take."""
    if text.isascii():
        return MEDIA_TOKENS if text.startswith("data:") else (len(text) + 1) // 2
    if text.startswith("data:"):
        return MEDIA_TOKENS
    wide = (len(text.encode("utf-8", "surrogatepass")) - len(text)) // 2
    return min(len(text), wide) + max(0, len(text) - wide + 1) // 2


def input_tokens(value: object) -> int:
    """The tokens of every text anywhere in a JSON value; numbers count as token ids."""
    total, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            total += tokens_of(item)
        elif isinstance(item, dict):
            fields = cast(dict[str, object], item)
            total += PER_ITEM
            waiting += fields.values()
        elif isinstance(item, list):
            items = cast(list[object], item)
            if items and isinstance(items[0], int):
                total += len(items)
            else:
                waiting += items
    return total


def output_tokens(path: str, fields: Mapping[str, Any], context: int | None) -> int:
    """The most tokens that may come out: what the request allows, within the model's context."""
    if path in NO_OUTPUT:
        return 0
    asked = next((fields[name] for name in LIMITS if fields.get(name)), DEFAULT_OUTPUT)
    choices = fields.get("n") or 1
    return min(asked, context or asked) * choices


def cost_of(prices: Priced | None, tokens_in: int, tokens_out: int) -> int:
    """Micro-yuan, rounded up; nothing where nobody takes anything."""
    if prices is None:
        return 0
    return ceil(prices.input * tokens_in + prices.output * tokens_out)


def dearest(prices: Iterable[Priced | None], tokens_in: int, tokens_out: int) -> int:
    """The cost at the dearest of several upstreams."""
    return max((cost_of(price, tokens_in, tokens_out) for price in prices), default=0)


def affinity_of(fields: Mapping[str, Any]) -> str:
    """A name for how the prompt begins: calls with the same one may share an upstream's cache."""
    messages = fields.get("messages")
    if not isinstance(messages, Sequence) or not messages:
        return ""
    first: object = cast(Sequence[object], messages)[0]
    content = cast(dict[str, object], first).get("content") if isinstance(first, dict) else None
    return f"{hash(content[:512]):x}" if isinstance(content, str) else ""
