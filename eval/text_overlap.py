"""Overlap of two texts by characters, white space ignored."""

from zhengwu.rag.text.normalise import squash


def common_subsequence(one: str, other: str) -> int:
    """The length of the longest common subsequence of characters."""
    row = [0] * (len(other) + 1)
    for char in one:
        diagonal = 0
        for place, against in enumerate(other, 1):
            above = row[place]
            row[place] = diagonal + 1 if char == against else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def rouge_l(answer: str, gold: str) -> float:
    """ROUGE-L F1 over characters (Lin 2004, https://aclanthology.org/W04-1013/)."""
    said, wanted = squash(answer), squash(gold)
    if not said or not wanted:
        return 0.0
    common = common_subsequence(said, wanted)
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def coverage(quote: str, gold: str) -> float:
    """The share of the characters of `gold` that `quote` has, in order."""
    wanted = squash(gold)
    return common_subsequence(squash(quote), wanted) / len(wanted) if wanted else 0.0
