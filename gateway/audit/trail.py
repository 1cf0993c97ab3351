"""The `Trail` of the governed path: lines into this process's journal. Knows no database.

Neither call waits for a disk or makes a task.
"""

import logging

from zhengwu.gateway.audit.errors import JournalUnwritable, NotIntended
from zhengwu.gateway.audit.journal import Journal
from zhengwu.gateway.audit.line import Mask, intent_line, outcome_line
from zhengwu.gateway.governed.ports import Intent, Outcome
from zhengwu.pii.detect import mask

LOG = logging.getLogger("zhengwu.gateway.audit")


class JournalTrail:
    """One record a request, in the order of the calls."""

    def __init__(self, journal: Journal, conceal: Mask = mask) -> None:
        """`conceal` masks a text that a tenant wants kept."""
        self._journal = journal
        self._conceal = conceal
        self._number = 0
        self._open: dict[str, list[tuple[int, bool]]] = {}
        self._late: list[bytes] = []

    @property
    def open(self) -> int:
        """Intents without an outcome."""
        return sum(map(len, self._open.values()))

    def intend(self, intent: Intent) -> None:
        """Append the intent. When this returns, a kill -9 cannot lose it.

        Raises:
            JournalUnwritable: it is not written; the request must not go out.
        """
        number = self._number + 1
        self._journal.append(intent_line(number, intent, self._conceal))
        self._number = number
        kept = (number, intent.caller.keep_text)
        self._open.setdefault(intent.request_id, []).append(kept)

    def complete(self, outcome: Outcome) -> None:
        """Append the outcome. A full disk delays it (see `retry`), for the answer is given.

        Raises:
            NotIntended: there is no open intent of that request.
        """
        numbers = self._open.get(outcome.request_id)
        if not numbers:
            raise NotIntended(f"请求 {outcome.request_id} 没有待完成的审计意向，请先调用 intend。")
        number, keep_text = numbers.pop(0)
        if not numbers:
            del self._open[outcome.request_id]
        line = outcome_line(number, outcome, keep_text, self._conceal)
        try:
            self._journal.append(line)
        except JournalUnwritable as error:
            self._late.append(line)
            LOG.error("outcome of request %s waits: %s", outcome.request_id, error.code)

    def retry(self) -> None:
        """Write the outcomes that a full disk delayed, as far as it goes.

        Raises:
            JournalUnwritable: it is full still.
        """
        while self._late:
            self._journal.append(self._late[0])
            self._late.pop(0)
