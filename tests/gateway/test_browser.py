"""Chromium on the built page, served by the real gateway: nothing comes from elsewhere."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, async_playwright, expect
from tests.gateway.citizen import ANSWER, LAW, QUOTE, RETRACTED, SOURCE, START
from tests.gateway.conftest import Running
from tests.needs import need

from zhengwu.agents.qa.events import Done, NextStep, Sources, Status
from zhengwu.gateway.pages import DIST

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHOTS = os.environ.get("ZHENGWU_TEST_SHOTS")
"""A folder to keep screenshots in, to look at."""

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


@pytest.fixture
async def opened(gateway: Running) -> AsyncIterator[Opened]:
    need(Path(CHROMIUM).exists(), "chromium is not installed (make system-deps)")
    need((DIST / "index.html").is_file(), "the pages are not built (npm ci && npm run build)")
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
    await expect(page.get_by_text("内容由人工智能生成，请以引用的原文为准")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_text("示范市政务服务智能问答")
    await opened.shot("welcome")
    gateway.asker.hold = asyncio.Event()
    await page.get_by_label("请输入您的问题").fill("居住证多久能办好？")
    await page.keyboard.press("Enter")
    source = page.get_by_role("button", name=SOURCE.path)
    await expect(source).to_be_visible()
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
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    assert await page.evaluate(wide)
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
