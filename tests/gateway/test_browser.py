"""Chromium on the built page, served by the real gateway: nothing comes from elsewhere."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Request, async_playwright, expect
from tests.gateway.citizen import ANSWER, CITATION, LAW, QUOTE, RETRACTED, SOURCE, START
from tests.gateway.conftest import Running
from tests.needs import need

from zhengwu.agents.qa.events import Done, Event, NextStep, Sentence, Sources, Status
from zhengwu.gateway.pages import DIST

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
AXE = DIST.parent / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = "async () => (await axe.run()).violations"
SHOTS = os.environ.get("ZHENGWU_TEST_SHOTS")
"""A folder to keep screenshots in, to look at."""

FOUND = tuple(
    SOURCE.model_copy(
        update={"ref": n, "clause_id": f"a{n}", "path": f"{LAW} › 第二章 申领与签注 › 第{n}条"}
    )
    for n in range(1, 10)
)
TABLE = "办理方式 | 地点 | 时限\n线下 | 居住地派出所 | 十五日\n线上 | 政务服务网 | 十个工作日"
LONG: tuple[Event, ...] = (
    START,
    Sources(sources=FOUND[:6]),
    Sources(sources=FOUND),
    Sentence(
        sentence_id=1,
        text=f"{QUOTE}。",
        citations=(CITATION.model_copy(update={"ref": 4}),),
        quoted=True,
    ),
    Sentence(
        sentence_id=2,
        text=f"办理方式和时限：\n{TABLE}",
        citations=(CITATION.model_copy(update={"ref": 8, "clause": "第八条", "quote": TABLE}),),
        quoted=True,
    ),
    Sentence(
        sentence_id=3,
        text="居住证一般十五日内办好，网上申请十个工作日。",
        citations=(CITATION.model_copy(update={"ref": 4}),),
    ),
    Done(status=Status.ANSWERED, timings={"total": 3240.0}),
)

pytestmark = pytest.mark.browser


@dataclass
class Opened:
    """A page, what it asked the network for, and what it complained of."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    async def shot(self, name: str) -> None:
        if SHOTS:
            await self.page.screenshot(path=Path(SHOTS) / f"{name}.png")

    async def ask(self, question: str) -> None:
        await self.page.get_by_label("请输入您的问题").fill(question)
        await self.page.keyboard.press("Enter")

    async def is_narrow(self) -> bool:
        """Nothing sticks out of the window's side."""
        return await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    async def barriers(self) -> list[str]:
        """What axe-core finds serious or critical, as “rule: element”."""
        await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = await self.page.evaluate(RUN_AXE)
        return [
            f"{violation['id']}: {node['html']}"
            for violation in found
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]


@pytest.fixture
async def opened(gateway: Running) -> AsyncIterator[Opened]:
    need(Path(CHROMIUM).exists(), "chromium is not installed (make system-deps)")
    need((DIST / "index.html").is_file(), "the pages are not built (npm ci && npm run build)")
    need(AXE.is_file(), "axe-core is not installed (npm ci)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 860}, locale="zh-CN")
        seen = Opened(page)

        def asked(request: Request) -> None:
            seen.requests.append(request.url)

        page.on("request", asked)
        page.on("console", lambda m: seen.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        await page.goto(gateway.url)
        yield seen
        await browser.close()


async def test_a_citizen_asks_sees_sources_first_and_opens_the_clause(
    gateway: Running, opened: Opened
) -> None:
    page = opened.page
    await expect(page.get_by_role("note")).to_have_text("内容由人工智能生成，请以引用的原文为准")
    await expect(page.get_by_role("heading", level=1)).to_have_text("示范市政务服务智能问答")
    await opened.shot("welcome")
    gateway.asker.hold = asyncio.Event()
    await opened.ask("居住证多久能办好？")
    source = page.get_by_role("button", name=SOURCE.path)
    await expect(source).to_be_visible()
    await expect(page.get_by_text("正在核对依据……")).to_be_visible()
    assert await page.locator(".sentence").count() == 0
    await opened.shot("sources")
    gateway.asker.hold.set()
    await expect(page.locator("blockquote .sentence")).to_contain_text(QUOTE)
    await expect(page.get_by_role("button", name="发送")).to_be_visible()
    await page.get_by_role("button", name="查看引用 1").first.click()
    drawer = page.get_by_role("dialog")
    await expect(drawer.locator("mark")).to_have_text(QUOTE)
    for words in (LAW, "示范市人民政府", "示政规〔2024〕3号", "2024-05-01", "现行有效", "第八条"):
        await expect(drawer).to_contain_text(words)
    await page.wait_for_timeout(400)
    await opened.shot("clause")
    assert await opened.barriers() == []
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
    assert all(url.startswith(f"{gateway.url}/") for url in opened.requests), opened.requests
    assert opened.complaints == []


async def test_refusals_retractions_and_broken_streams_are_honest(
    gateway: Running, opened: Opened
) -> None:
    page = opened.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await opened.shot("phone-welcome")
    gateway.asker.events = RETRACTED
    await page.get_by_role("button", name="公司拖欠工资").click()
    await expect(page.get_by_text("未在现有法规政策中找到依据")).to_be_visible()
    await expect(page.get_by_text("部分内容未通过核查，已撤回")).to_be_visible()
    assert await page.locator(".sentence").count() == 0
    await expect(page.get_by_role("link", name="12345")).to_have_attribute("href", "tel:12345")
    await opened.shot("phone-no-source")
    gateway.asker.events = ANSWER[:3]
    await page.get_by_label("请输入您的问题").fill("居住证多久能办好？")
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_text("未完成", exact=True)).to_be_visible()
    await opened.shot("phone-incomplete")
    gateway.asker.events = ANSWER
    await page.get_by_role("button", name="重试").click()
    await expect(page.locator("blockquote")).to_be_visible()
    await expect(page.get_by_text("未完成", exact=True)).to_be_hidden()
    await page.get_by_role("button", name="查看引用 1").last.click()
    await expect(page.get_by_role("dialog").locator("mark")).to_be_visible()
    await page.wait_for_timeout(400)
    await opened.shot("phone-clause")
    assert await opened.is_narrow()
    assert opened.complaints == []


@pytest.mark.parametrize(("name", "width"), [("desk", 1280), ("phone", 390)])
async def test_a_long_list_of_sources_leaves_the_answer_in_view(
    gateway: Running, opened: Opened, name: str, width: int
) -> None:
    page = opened.page
    await page.set_viewport_size({"width": width, "height": 844})
    gateway.asker.events, gateway.asker.hold = LONG, asyncio.Event()
    await opened.ask("居住证多久能办好？在哪里办？")
    fold = page.get_by_role("button", name="共找到 9 条相关规定 · 展开")
    await expect(fold).to_be_visible()
    await expect(page.locator(".source:visible")).to_have_count(3)
    for box in [await line.bounding_box() for line in await page.locator(".source").all()][:3]:
        assert box and box["height"] < 48, "a source takes one line while searching"
    await opened.shot(f"{name}-searching")
    await page.locator(".source").first.focus()
    gateway.asker.hold.set()
    await expect(page.locator(".answer-label")).to_have_text(
        "用时 3.2 秒 · 内容由人工智能生成，请以引用的原文为准"
    )
    await expect(page.locator(".answer-label")).to_be_in_viewport(ratio=1)
    await expect(page.locator(".source:visible")).to_have_count(0)
    fold = page.get_by_role("button", name="依据 2 条，另有 7 条相关规定（展开）")
    await expect(fold).to_be_focused()  # its line folded away
    sources = page.locator("blockquote .quote-source")
    await expect(sources).to_have_text([f"——《{LAW}》第九条 [4]", f"——《{LAW}》第八条 [8]"])
    await expect(page.locator("blockquote tr")).to_have_count(3)
    await expect(page.locator(".plainly")).to_contain_text("简单说：居住证一般")
    await opened.shot(f"{name}-answered")
    assert await opened.is_narrow()
    assert await opened.barriers() == []
    await page.keyboard.press("Enter")
    await expect(page.locator(".source:visible .source-ref")).to_have_text(
        [f"[{n}]" for n in (4, 8, 1, 2, 3, 5, 6, 7, 9)]
    )
    await opened.shot(f"{name}-unfolded")
    assert await opened.is_narrow()
    assert await opened.barriers() == []
    assert opened.complaints == []


async def test_a_reader_who_scrolled_away_is_left_alone(gateway: Running, opened: Opened) -> None:
    page = opened.page
    await page.set_viewport_size({"width": 390, "height": 500})
    text = "本条所称材料，应当真实、完整、有效。" * 12
    many = tuple(Sentence(sentence_id=n, text=text, quoted=True) for n in range(1, 6))
    gateway.asker.events = (START, *many, Done(status=Status.ANSWERED))
    gateway.asker.pause_s = 0.5
    await opened.ask("要交什么材料？")
    await expect(page.locator("blockquote")).to_have_count(2)
    await page.locator(".talk").evaluate("talk => { talk.scrollTop = 0; }")
    await expect(page.locator("blockquote")).to_have_count(5)
    assert await page.locator(".talk").evaluate("talk => talk.scrollTop") == 0
    assert opened.complaints == []


async def test_stopping_and_a_crisis(gateway: Running, opened: Opened) -> None:
    page = opened.page
    gateway.asker.events, gateway.asker.pause_s = (START, Sources(sources=(SOURCE,))), 30
    await page.get_by_label("请输入您的问题").fill("居住证")
    await page.get_by_role("button", name="发送").click()
    await page.get_by_role("button", name="停止").click()
    await expect(page.get_by_text("已停止", exact=True)).to_be_visible()
    await gateway.asker.closed.wait()
    steps = (
        NextStep(kind="phone", label="心理援助热线", value="12356"),
        NextStep(kind="link", label="不可信的地址", value="javascript:alert(1)"),
    )
    done = Done(status=Status.CRISIS, text="请马上联系能帮助您的人。", next_steps=steps)
    gateway.asker.events, gateway.asker.pause_s = (START, done), 0
    await page.get_by_role("button", name="新的对话").click()
    await page.get_by_label("请输入您的问题").fill("我不想活了")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("请先确保安全")).to_be_visible()
    await expect(page.get_by_role("link", name="12356")).to_be_visible()
    assert await page.locator("a[href^=javascript]").count() == 0
    await opened.shot("crisis")
    assert opened.complaints == []
