"""How much surer a chat model is of 是 than of 否. Knows one reply; asks nothing."""

from zhengwu.models.wire import ChatReply

NEVER = -15.0
"""The log-probability taken for a word that is not among the likeliest."""
TOP = 20
"""How many of the likeliest tokens to ask for."""


def yes_margin(reply: ChatReply) -> float:
    """Log-probability of 是 minus that of 否 at the first token."""
    # Exactly these tokens: “ 是” with a space is another one, far less likely.
    top = {a.token: a.logprob for t in reply.logprobs[:1] for a in t.top}
    return top.get("是", NEVER) - top.get("否", NEVER)
