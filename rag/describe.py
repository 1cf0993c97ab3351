"""What is known of a document from its own text and front matter: organ, number, dates, region.

What the front matter states wins over what the text shows. Knows no database.
"""

from datetime import date

from zhengwu.datasets.parse import ParsedDocument
from zhengwu.rag.clause import Clause
from zhengwu.rag.store import DocumentDraft
