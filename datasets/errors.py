"""What can go wrong with documents and data sets.

DatasetError
├── ParseError                 a document could not be read
│   ├── UnsupportedFormat      the format is not read, or is an old one
│   ├── FileTooLarge           larger than a stated limit (also a LimitError)
│   ├── ArchiveBomb            a DOCX that unpacks beyond all measure (also a LimitError)
│   ├── CorruptDocument        damaged, or not what its name says
│   ├── EncryptedDocument      protected by a password
│   ├── NoTextLayer            pages are pictures
│   ├── EmptyDocument          nothing to read
│   └── ParseTimeout           took longer than allowed (also a LimitError)
├── StarterError               a starter file or the manifest is wrong
└── AskedError                 a line of the bank of spoken questions is wrong
"""

from zhengwu.errors import LimitError, ZhengwuError


class DatasetError(ZhengwuError):
    """Something is wrong with a document or a data set."""

    code = "dataset"


class ParseError(DatasetError):
    """A document could not be read."""

    code = "parse"


class UnsupportedFormat(ParseError):
    """The format is not read, or is an old one."""

    code = "unsupported_format"


class FileTooLarge(ParseError, LimitError):
    """Larger than a stated limit."""

    code = "file_too_large"


class ArchiveBomb(ParseError, LimitError):
    """A DOCX that unpacks beyond all measure."""

    code = "archive_bomb"


class CorruptDocument(ParseError):
    """Damaged, or not what its name says."""

    code = "corrupt_document"


class EncryptedDocument(ParseError):
    """Protected by a password."""

    code = "encrypted_document"


class NoTextLayer(ParseError):
    """Pages are pictures: there is no text to read."""

    code = "no_text_layer"


class EmptyDocument(ParseError):
    """Nothing to read."""

    code = "empty_document"


class ParseTimeout(ParseError, LimitError):
    """Reading took longer than allowed."""

    code = "parse_timeout"


class StarterError(DatasetError):
    """A starter file or the manifest is wrong."""

    code = "starter"


class AskedError(DatasetError):
    """A line of the bank of spoken questions is wrong."""

    code = "asked"
