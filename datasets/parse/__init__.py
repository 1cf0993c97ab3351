"""Documents become blocks of text: Markdown, plain text, HTML, DOCX and digital PDF."""

from zhengwu.datasets.parse.document import Block, ParsedDocument
from zhengwu.datasets.parse.limits import Limits
from zhengwu.datasets.parse.read import FORMATS, parse

__all__ = ["FORMATS", "Block", "Limits", "ParsedDocument", "parse"]
