"""What the owner of assistants does: register, publish, withdraw, share. Knows no HTTP."""

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from zhengwu.gateway.assistants.definition import Definition, Quota
from zhengwu.gateway.assistants.errors import AssistantForbidden, AssistantRefused
from zhengwu.gateway.assistants.store import Catalogue, Share, State, Version
from zhengwu.gateway.assistants.tools.function import Function
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.served import Served
from zhengwu.gateway.wire.owner import owner_of

MAY = frozenset({"developer", "tenant_admin", "host"})
"""The roles that may register; the others only use."""
QUOTA: TypeAdapter[Quota] = TypeAdapter(Quota)


class ReadsTools(Protocol):
    """Reads what tools offer. `Toolbox` is the real one."""

    async def functions(self, definition: Definition) -> list[Function]:
        """Every function, or AssistantRefused."""
        ...


class AssistantOffice:
    """Manages assistants on behalf of a caller."""

    def __init__(self, catalogue: Catalogue, tools: ReadsTools, served: Served) -> None:
        self._catalogue = catalogue
        self._tools = tools
        self._served = served

    async def register(self, caller: Caller, given: Mapping[str, Any]) -> Version:
        """Register a new version, as a draft.

        Raises:
            AssistantRefused: the definition is wrong, or asks for more than the caller may.
            AssistantForbidden: the caller's role, or the name is another's.
        """
        _must_manage(caller)
        definition = _read(given)
        if definition.grade_ceiling > caller.grade_ceiling:
            told = f"助手的数据分级上限不能超过登记者的 {caller.grade_ceiling} 级。"
            raise AssistantRefused(told, "grade_ceiling")
        model = self._served.get(definition.model, "chat")
        if caller.models is not None and not {definition.model, model.name} & caller.models:
            told = f"登记者不可使用模型“{definition.model}”，请换一个或请管理员开通。"
            raise AssistantRefused(told, "model")
        functions = await self._tools.functions(definition)
        shown = [function.model_dump(mode="json") for function in functions]
        return await self._catalogue.register(caller, definition, shown)

    async def move(self, caller: Caller, name: str, version: int, state: State) -> Version:
        """Publish or withdraw a version."""
        _must_manage(caller)
        return await self._catalogue.move(owner_of(caller), name, version, state)

    async def share(
        self, caller: Caller, name: str, tenant: str, quota: Mapping[str, Any]
    ) -> list[Share]:
        """Let a tenant use an assistant, under `quota`; everyone it is shared with then."""
        _must_manage(caller)
        try:
            read = QUOTA.validate_python(dict(quota))
        except ValidationError as error:
            raise AssistantRefused(f"额度有误：{_first(error)}。", "quota") from error
        await self._catalogue.share(owner_of(caller), name, Share(tenant, read))
        return await self._catalogue.shares(name)

    async def unshare(self, caller: Caller, name: str, tenant: str) -> list[Share]:
        """Let a tenant use it no more; everyone it is still shared with."""
        _must_manage(caller)
        await self._catalogue.unshare(owner_of(caller), name, tenant)
        return await self._catalogue.shares(name)

    async def versions(self, caller: Caller) -> list[Version]:
        """Every version that the caller's unit registered."""
        _must_manage(caller)
        return await self._catalogue.versions(owner_of(caller))


def _must_manage(caller: Caller) -> None:
    if caller.role not in MAY:
        raise AssistantForbidden("当前角色不能管理助手，请由开发者或单位管理员操作。")


def _read(given: Mapping[str, Any]) -> Definition:
    try:
        return Definition.model_validate(given)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise AssistantRefused(f"助手的登记内容有误：{_first(error)}。", where[:100]) from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))} {first['msg']}"[:300]


def shown(version: Version) -> dict[str, Any]:
    """A version as the interface and the command line show it."""
    return {
        "name": version.name,
        "version": version.version,
        "state": version.state,
        "tenant": version.tenant,
        "created": version.created.isoformat(),
        "functions": [each["name"] for each in version.functions],
        "definition": version.definition.model_dump(mode="json"),
    }
