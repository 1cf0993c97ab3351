"""`zhengwu ask`: what a person and a program see of an answer."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.gateway.citizen import ANSWER, CITATION, HOTLINE, LAW, QUOTE, RETRACTED
from tests.models.conftest import Handler, serve_aside
from typer.testing import CliRunner, Result

from zhengwu.agents.qa.events import Done, Event, NextStep, Retract, Status
from zhengwu.cli.app import app
from zhengwu.gateway.routes.qa import frame
from zhengwu.serving import running
from zhengwu.serving.events import Phase, StackEvent, StackState
from zhengwu.serving.running import running_stack
from zhengwu.serving.stack import StackStatus
from zhengwu.settings import Settings, read_settings

__all__ = ["serve_aside"]
Ask = Callable[..., Result]


@pytest.fixture
def events() -> list[Event]:
    return list(ANSWER)


@pytest.fixture
def zhengwu(
    events: list[Event],
    serve_aside: Callable[[Handler], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Ask]:
    """The real command against a server that speaks the gateway's wire; no stack is started."""

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["question"] == "坏":
            error = {"error": {"code": "unknown_kb", "message": "没有知识库“无”"}}
            return web.json_response(error, status=404)
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for number, event in enumerate(events, 1):
            await answer.write(frame(number, event))
        return answer

    port = int(serve_aside(handle).rpartition(":")[2])
    monkeypatch.setenv("ZHENGWU_HOME", str(tmp_path))
    monkeypatch.setenv("ZHENGWU_GATEWAY_HOST", "0.0.0.0")
    monkeypatch.setenv("ZHENGWU_GATEWAY_PORT", str(port))
    state = StackState(pid=1, phase="up", started="", url="http://0.0.0.0:1")

    def status(settings: Settings) -> StackStatus:
        return StackStatus(running=True, pid=1, state=state)

    monkeypatch.setattr(running, "status", status)
    yield lambda *words: CliRunner().invoke(app, ["ask", *words])


def test_json_has_the_contracts_keys(zhengwu: Ask) -> None:
    result = zhengwu("居住证多久能办好？", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["status"] == "answered" and told["timings"] == {"total": 12.0}
    assert told["answer"] == f"居住证自受理之日起十五日内发放。\n{QUOTE}。"
    (citation,) = told["citations"]
    assert (citation["doc"], citation["clause"]) == (CITATION.doc_id, "a9")
    assert citation["quote"] == QUOTE and citation["title"] == LAW


def test_a_person_reads_sources_quotes_and_where_they_stand(zhengwu: Ask) -> None:
    out = zhengwu("居住证多久能办好？").stdout
    assert out.index("人工智能") < out.index("找到 1 条") < out.index("十五日内发放")
    assert f"“{QUOTE}。”[1]" in out and f"《{LAW}》第九条" in out
    assert out.rstrip().endswith("[answered，用时 0.0 秒]")


def test_what_is_taken_back_is_no_answer(zhengwu: Ask, events: list[Event]) -> None:
    events[:] = RETRACTED
    told = json.loads(zhengwu("问", "--json").stdout)
    assert told["status"] == "no_source" and told["answer"] == "请咨询工作人员。"
    assert told["citations"] == []
    out = zhengwu("问").stdout
    assert "[撤回第 1 句：含有不宜公开的内容。]" in out
    assert out.index("请咨询工作人员。") < out.index(f"→ {HOTLINE.label}：12345")


def test_one_of_two_sentences_taken_back(zhengwu: Ask, events: list[Event]) -> None:
    events[:] = [*ANSWER[:-1], Retract(sentence_ids=(1,), reason="x"), ANSWER[-1]]
    assert json.loads(zhengwu("问", "--json").stdout)["answer"] == f"{QUOTE}。"


def test_a_crisis_shows_where_to_turn(zhengwu: Ask, events: list[Event]) -> None:
    step = NextStep(kind="phone", label="心理援助热线", value="12356")
    events[:] = [ANSWER[0], Done(status=Status.CRISIS, text="请马上联系。", next_steps=(step,))]
    out = zhengwu("不想活").stdout
    assert out.index("请马上联系。") < out.index("12356")


def test_errors_are_the_gateways_own_words(zhengwu: Ask, events: list[Event]) -> None:
    result = zhengwu("坏", "--json")
    assert result.exit_code == 1
    assert "没有知识库“无”" in json.loads(result.stderr)["error"]["message"]
    events.pop()
    cut = zhengwu("问")
    assert cut.exit_code == 1 and "未完成" in cut.stderr


class Stack:
    """Remembers what was asked of the stack; the phases are what `status` sees in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *phases: Phase | None) -> None:
        self.done: list[str] = []
        self._phases = list(phases)
        monkeypatch.setattr(running, "status", self.status)
        monkeypatch.setattr(running, "up", self.up)
        monkeypatch.setattr(running, "down", self.down)
        monkeypatch.setattr(running, "LOOK_S", 0.0)

    def status(self, settings: Settings) -> StackStatus:
        phase = self._phases.pop(0) if len(self._phases) > 1 else self._phases[0]
        if phase is None:
            return StackStatus(running=False)
        state = StackState(pid=1, phase=phase, started="", url="http://x")
        return StackStatus(running=True, pid=1, state=state)

    def up(self, settings: Settings, on_event: object, detach: bool) -> None:
        assert detach
        self.done.append("up")

    def down(self, settings: Settings) -> bool:
        self.done.append("down")
        return True


def nobody(event: StackEvent) -> None:
    """Nobody looks."""


@pytest.mark.parametrize(
    ("phases", "done"),
    [
        (("up",), []),
        (("starting", "starting", "up"), []),
        ((None,), ["up", "down"]),
        (("starting", None), ["up", "down"]),
        (("stopping",), ["up", "down"]),
    ],
)
def test_a_running_stack_is_used_and_only_an_own_one_is_stopped(
    monkeypatch: pytest.MonkeyPatch, phases: tuple[Phase | None, ...], done: list[str]
) -> None:
    stack = Stack(monkeypatch, *phases)
    settings = read_settings(gateway_host="0.0.0.0", gateway_port=8123)
    with running_stack(settings, nobody) as url:
        assert url == "http://127.0.0.1:8123"
        assert stack.done == done[:1]
    assert stack.done == done


def test_an_own_stack_is_stopped_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(monkeypatch, None)
    with pytest.raises(KeyboardInterrupt), running_stack(read_settings(), nobody):
        raise KeyboardInterrupt
    assert stack.done == ["up", "down"]
