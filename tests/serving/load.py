"""Requests that keep coming while something happens to the pool, every answer counted."""

import http.client
import json
import threading
from typing import Self

TEXT = "失业人员应当在终止劳动合同之日起六十日内申领失业保险金。"


class Load:
    """`clients` clients, each asking for an embedding again and again until the end."""

    def __init__(self, port: int, model: str, clients: int = 3) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._port, self._model = port, model
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a request hangs"

    def _ask(self) -> None:
        while not self._stop.is_set():
            failure = ask(self._port, self._model)
            with self._lock:
                self.answered += failure is None
                if failure is not None:
                    self.failures.append(failure)


def ask(port: int, model: str) -> str | None:
    """One embedding; None, or what went wrong."""
    body = json.dumps({"input": TEXT, "input_type": "query"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/{model}/v1/embeddings", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == 200 and len(json.loads(said)["data"][0]["embedding"]) == 384:
            return None
        return f"{answer.status} {said[:200]!r}"
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
