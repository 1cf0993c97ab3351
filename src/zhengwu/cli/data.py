"""`zhengwu data check | card`. No logic: it shows what `datasets/` does."""

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from zhengwu.datasets import manifest as manifests
from zhengwu.datasets.card import card as write_card
from zhengwu.datasets.check import Report
from zhengwu.datasets.check import check as run_check
from zhengwu.datasets.lawbook import read_laws
from zhengwu.datasets.starter import STARTER, load_guides
from zhengwu.errors import ZhengwuError

app = typer.Typer(name="data", help="数据集：检查与卡片", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
Folder = Annotated[Path, typer.Option("--starter", help="起步知识库目录")]


@app.command(help="检查起步知识库：格式、依据、重复、日期、个人信息和摘要。")
def check(
    laws: Annotated[
        Path | None,
        typer.Option("--laws", help="法律法规目录，给出则逐条核对依据", file_okay=False),
    ] = None,
    starter: Folder = STARTER,
    write_manifest: Annotated[
        bool, typer.Option("--write-manifest", help="先按现有文件重写清单")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="重写清单时的状态口径日，如 2026-11-22")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the starter set."""
    try:
        if laws is not None and not laws.is_dir():
            raise ZhengwuError(f"找不到法律法规目录“{laws}”，请检查 --laws。")
        if write_manifest:
            guides = load_guides(starter)
            manifests.write(manifests.build(guides, _day(as_of, starter), starter), starter)
        report = run_check(starter, read_laws(laws) if laws else None)
    except ZhengwuError as error:
        _fail(error, as_json)
    _show(report, as_json)
    if not report.ok:
        raise typer.Exit(1)


@app.command(help="输出起步知识库的数据集卡片（Markdown）。")
def card(
    out: Annotated[Path | None, typer.Option("--out", help="写入文件")] = None,
    starter: Folder = STARTER,
    as_json: Json = False,
) -> None:
    """Print or write the data set card."""
    try:
        listed = manifests.read(starter)
        text = write_card(load_guides(starter), listed)
    except ZhengwuError as error:
        _fail(error, as_json)
    if out:
        out.write_text(text, encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(listed.model_dump(mode="json") | {"card": text}, ensure_ascii=False))
    else:
        typer.echo(f"已写入 {out}" if out else text)


def _day(given: str | None, starter: Path) -> date:
    """The day given, else that of the manifest there is, else today."""
    if given:
        try:
            return date.fromisoformat(given)
        except ValueError as error:
            raise ZhengwuError(f"日期“{given}”有误，应形如 2026-11-22。") from error
    if (starter / manifests.NAME).is_file():
        return manifests.read(starter).statuses_as_of
    return date.today()


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"ok": report.ok, **asdict(report)}, ensure_ascii=False))
        return
    for finding in report.findings:
        typer.echo(f"✗ [{finding.rule}] {finding.where}：{finding.message}")
    names = {"resolved": "已核对", "law_not_there": "法律不在目录", "unresolved": "查无此条"}
    for title, counts in (("依据", report.basis), ("正文引用", report.cited)):
        if counts:
            typer.echo(
                f"{title}：" + "，".join(f"{names[k]} {n}" for k, n in sorted(counts.items()))
            )
    if report.most_alike:
        share, one, other = report.most_alike
        typer.echo(f"最相近的两份：{one} 与 {other}，五字串重合 {share:.0%}")
    total = report.counts["total"]
    outcome = "通过" if report.ok else f"发现 {len(report.findings)} 处问题"
    typer.echo(f"{report.files} 个文件、{total['departments']} 个部门：{outcome}")


def _fail(error: ZhengwuError, as_json: bool) -> NoReturn:
    body = {"error": {"code": error.code, "message": str(error)}}
    typer.echo(json.dumps(body, ensure_ascii=False) if as_json else f"✗ {error}", err=not as_json)
    raise typer.Exit(1) from error
