"""Chinese numerals ↔ integers for `rag`; written in `datasets`, which parses with them."""

from zhengwu.datasets.numerals import NUMERAL, to_chinese, to_int

__all__ = ["NUMERAL", "to_chinese", "to_int"]
