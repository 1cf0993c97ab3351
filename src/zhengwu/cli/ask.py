"""`zhengwu ask`: one question through the real path. No logic: it shows what the gateway sends."""

import asyncio
from typing import Annotated

import typer

from zhengwu.agents.qa.events import (
    Citation,
    Done,
    Event,
    Retract,
    Sentence,
    Sources,
    Start,
)
from zhengwu.cli.output import Json, failures, show
from zhengwu.gateway.client import ask as ask_gateway
from zhengwu.serving.events import StackEvent
from zhengwu.serving.running import running_stack
from zhengwu.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(help="问一个问题，走与网页相同的路径，给出答复和引用。")(ask)


def ask(
    question: str,
    kb: Annotated[str | None, typer.Option(help="知识库")] = None,
    region: Annotated[str | None, typer.Option(help="地区，如 示范省/示范市")] = None,
    as_of: Annotated[str | None, typer.Option(help="按哪一天有效的规定回答，如 2024-05-01")] = None,
    as_json: Json = False,
) -> None:
    """Ask one question."""

    def progress(event: StackEvent) -> None:
        if not as_json:
            typer.echo(f"[{event.seconds:6.1f}s] {event.message}", err=True)

    with failures(as_json), running_stack(read_settings(), progress) as url:
        asyncio.run(print_answer(url, question, kb, region, as_of, as_json))


async def print_answer(
    url: str,
    question: str,
    kb: str | None = None,
    region: str | None = None,
    as_of: str | None = None,
    as_json: bool = False,
) -> None:
    """Ask the gateway at `url` and print what comes, as it comes."""
    sentences: dict[int, Sentence] = {}
    done: Done | None = None
    async for event in ask_gateway(url, question, kb, region, as_of):
        if isinstance(event, Done):
            done = event
            continue
        if not as_json:
            _print_event(event, question)
        if isinstance(event, Sentence):
            sentences[event.sentence_id] = event
        elif isinstance(event, Retract):
            for gone in event.sentence_ids:
                sentences.pop(gone, None)
    assert done is not None, "the client raises when a stream has no end"
    if as_json:
        show(_result(list(sentences.values()), done))
        return
    if done.text:
        typer.echo(done.text)
        for step in done.next_steps:
            typer.echo(f"→ {step.label}：{step.value}")
    typer.echo(f"[{done.status.value}，用时 {done.timings.get('total', 0) / 1000:.1f} 秒]")


def _print_event(event: Event, question: str) -> None:
    match event:
        case Start():
            typer.echo(f"问：{question}\n（{event.ai_label}）")
        case Sources():
            typer.echo(f"[找到 {len(event.sources)} 条相关规定，正在核对……]")
        case Sentence():
            _print_sentence(event)
        case Retract():
            numbers = "、".join(str(gone) for gone in event.sentence_ids)
            typer.echo(f"[撤回第 {numbers} 句：{event.reason}]")
        case Done():
            pass


def _print_sentence(sentence: Sentence) -> None:
    marks = "".join(f"[{ref}]" for ref in dict.fromkeys(c.ref for c in sentence.citations))
    words = f"“{sentence.text}”" if sentence.quoted else sentence.text
    typer.echo(f"{words}{marks}")
    if sentence.quoted:
        for name in dict.fromkeys(_name(citation) for citation in sentence.citations):
            typer.echo(f"    —— {name}")


def _name(citation: Citation) -> str:
    return f"《{citation.doc}》{citation.clause}（{citation.doc_id}）"


def _result(sentences: list[Sentence], done: Done) -> dict[str, object]:
    citations = {
        (c.doc_id, c.clause_id, c.quote): {
            "doc": c.doc_id,
            "title": c.doc,
            "clause": c.clause_id,
            "label": c.clause,
            "quote": c.quote,
        }
        for sentence in sentences
        for c in sentence.citations
    }
    return {
        "status": done.status.value,
        "answer": "\n".join(sentence.text for sentence in sentences) or done.text,
        "citations": list(citations.values()),
        "reason": done.reason,
        "timings": done.timings,
        "tokens": done.tokens,
    }
