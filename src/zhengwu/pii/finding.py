"""What a detector finds: a stretch of text and its kind. Holds no value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A stretch of text [start, end) and the kind of personal data it is."""

    start: int
    end: int
    kind: str


CHECKSUM_KINDS = frozenset({"identity_card", "bank_card", "credit_code"})
"""Kinds that carry a check digit: what is found as one of these is one."""

KIND_NAMES = {
    "identity_card": "身份证号",
    "mobile": "手机号",
    "landline": "固定电话",
    "bank_card": "银行卡号",
    "credit_code": "统一社会信用代码",
    "passport": "证件号",
    "plate": "车牌号",
    "email": "电子邮箱",
    "address": "详细地址",
    "name": "姓名",
}
"""What each kind is called where a person reads it."""
