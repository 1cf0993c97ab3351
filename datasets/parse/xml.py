"""The one door to lxml, which ships no types."""

from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

Element = Any
"""An `lxml.etree._Element`."""
XMLSyntaxError: type[Exception] = etree.XMLSyntaxError
iterwalk: Any = etree.iterwalk
