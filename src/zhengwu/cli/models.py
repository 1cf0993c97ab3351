"""`zhengwu models list | pull NAME | verify [NAME]`. No logic: it shows what `models/` does."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table

from zhengwu.errors import ZhengwuError
from zhengwu.models.cards import ModelCard
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import WeightsMissing
from zhengwu.models.weights.folder import locate
from zhengwu.models.weights.progress import Progress, Report, silent
from zhengwu.models.weights.pull import Puller
from zhengwu.models.weights.verify import Checked
from zhengwu.models.weights.verify import verify as verify_weights
from zhengwu.settings import Settings, read_settings

app = typer.Typer(name="models", help="模型目录与权重", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]


@app.command("list", help="列出全部模型卡片，以及权重是否在本机。")
def list_(as_json: Json = False) -> None:
    """List every card, and whether its weights are here."""
    with Failures(as_json):
        settings = read_settings()
        rows = [(card, _place(card, settings)) for card in load_catalogue().all()]
        if as_json:
            _print([{**card.model_dump(mode="json"), "local": place} for card, place in rows])
            return
        table = Table(
            Column("名称", no_wrap=True), "类型", "参数（十亿）", "上下文", "引擎", "本机"
        )
        for card, place in rows:
            size, context = _cell(card.parameters_b), _cell(card.context_tokens)
            here = "✓" if place else ""
            table.add_row(card.name, card.kind, size, context, card.engine, here)
        Console().print(table)


@app.command(help="拉取一个模型的权重，核验 SHA-256；--profile 拉取当前配置要用的全部模型。")
def pull(
    name: Annotated[str | None, typer.Argument()] = None,
    profile: Annotated[bool, typer.Option("--profile", help="当前配置的对话和向量模型")] = False,
    as_json: Json = False,
) -> None:
    """Fetch and check one model, or those of the settings."""
    with Failures(as_json):
        settings = read_settings()
        names = [settings.chat_model, settings.embed_model] if profile else [name or ""]
        catalogue = load_catalogue()
        cards = [catalogue.get(one) for one in names]
        puller = Puller(settings)
        for card in cards:
            with Bar(quiet=as_json) as report:
                path = puller.pull(card, report)
            if as_json:
                _print({"name": card.name, "path": str(path), "sha256": card.sha256})
            else:
                typer.echo(f"{card.name} 已就绪：{path}")


@app.command(help="重新计算本机权重的 SHA-256；不给名称则核验全部已在本机的。")
def verify(name: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Check weights again."""
    with Failures(as_json):
        settings = read_settings()
        catalogue = load_catalogue()
        here = [card for card in catalogue.all() if _place(card, settings)]
        cards = [catalogue.get(name)] if name else here
        with Bar(quiet=as_json) as report:
            results = {c.name: verify_weights(c, settings, report) for c in cards}
        bad = [file for files in results.values() for file in files if not file.ok]
        if as_json:
            _print({name: [_row(file) for file in files] for name, files in results.items()})
        else:
            for model, files in results.items():
                wrong = [str(f.path) for f in files if not f.ok]
                typer.echo(f"{model}：{'不符 ' + '、'.join(wrong) if wrong else '正确'}")
        if bad:
            raise typer.Exit(1)


class Bar:
    """Progress bars on standard error, or nothing."""

    def __init__(self, quiet: bool) -> None:
        """`quiet`: show nothing."""
        self._quiet = quiet
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            console=Console(stderr=True),
        )  # fmt: skip

    def __enter__(self) -> Report:
        """Start showing."""
        if self._quiet:
            return silent
        self._bars.start()
        self._task = self._bars.add_task("准备")
        return self._show

    def __exit__(self, *_: object) -> None:
        """Stop showing."""
        self._bars.stop()

    def _show(self, progress: Progress) -> None:
        if progress.stage in ("source", "waiting"):
            self._bars.console.print(progress.note)
        label = progress.note or progress.stage
        total = progress.total or None
        self._bars.update(self._task, description=label, completed=progress.done, total=total)


class Failures:
    """Turns a known failure into one line (or JSON) and exit code 1."""

    def __init__(self, as_json: bool) -> None:
        """`as_json`: print the failure as JSON on standard output."""
        self._as_json = as_json

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Show a ZhengwuError; let everything else pass."""
        if isinstance(error, ZhengwuError):
            if self._as_json:
                _print({"error": {"code": error.code, "message": str(error)}})
            else:
                typer.echo(str(error), err=True)
            raise typer.Exit(1) from error


def _place(card: ModelCard, settings: Settings) -> str | None:
    try:
        return str(locate(card, settings))
    except WeightsMissing:
        return None


def _row(file: Checked) -> dict[str, Any]:
    row = {"path": str(file.path), "expected": file.expected, "found": file.found}
    return {**row, "ok": file.ok}


def _cell(value: float | int | None) -> str:
    return "—" if value is None else f"{value:,}"


def _print(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
