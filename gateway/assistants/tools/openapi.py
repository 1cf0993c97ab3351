"""Reads the functions of an OpenAPI document. References stay inside the document; fetches nothing.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson
from pydantic import ValidationError
from yarl import URL

from zhengwu.gateway.assistants.definition import OpenApiTool
from zhengwu.gateway.assistants.errors import AssistantRefused
from zhengwu.gateway.assistants.tools.function import MAX_FUNCTIONS, NAME, Function

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_SIZE = 64 * 1024
"""As large as one function's schema may become once its references are filled in."""
METHODS = ("get", "post")


def read_openapi(tool: OpenApiTool, at: int) -> list[Function]:
    """The functions of the document of the assistant's tool number `at`.

    Raises:
        AssistantRefused: it is too large, has no address, or an operation cannot be offered.
    """
    document = tool.document
    if len(orjson.dumps(document)) > MAX_BYTES:
        raise _refused(at, f"接口文档超过 {MAX_BYTES // 1024} KB，请只保留用到的接口")
    base = _base(document, at)
    found = [_function(document, base, at, *each) for each in _operations(document, tool.only, at)]
    missing = set(tool.only) - {function.name for function in found}
    if missing:
        raise _refused(at, f"文档里没有操作 {'、'.join(sorted(missing))[:200]}")
    if not 0 < len(found) <= MAX_FUNCTIONS:
        told = (
            f"应有 1 至 {MAX_FUNCTIONS} 个带 operationId 的 GET 或 POST 操作，实有 {len(found)} 个"
        )
        raise _refused(at, told)
    return found


def _base(document: Mapping[str, Any], at: int) -> str:
    try:
        url = URL(str(document["servers"][0]["url"]))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _refused(at, "servers 里要有一个完整的网址") from error
    if url.scheme not in ("http", "https") or not url.host or url.user or url.query_string:
        raise _refused(at, "servers 里要有一个完整的 http(s) 网址，不含账号和参数")
    return str(url).rstrip("/")


def _operations(
    document: Mapping[str, Any], only: tuple[str, ...], at: int
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    paths = document.get("paths")
    if not isinstance(paths, dict):
        raise _refused(at, "缺少 paths")
    for path, item in cast(dict[str, Any], paths).items():
        for method in METHODS:
            operation = item.get(method) if isinstance(item, dict) else None
            if not isinstance(operation, dict) or not NAME.fullmatch(
                str(operation.get("operationId", ""))
            ):
                continue
            shared = item.get("parameters") or []
            own = operation.get("parameters") or []
            if not only or operation["operationId"] in only:
                yield str(path), method, {**operation, "parameters": [*shared, *own]}


def _function(
    document: Mapping[str, Any], base: str, at: int, path: str, method: str, op: Mapping[str, Any]
) -> Function:
    name = str(op["operationId"])
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, list[str]] = {"path": [], "query": []}
    for given in op["parameters"]:
        parameter = _filled(document, given, at)
        where, label = str(parameter.get("in")), str(parameter.get("name"))
        if where not in places:
            if parameter.get("required"):
                raise _refused(
                    at, f"操作 {name} 的必填参数在 {where[:20]} 里，只支持 path 和 query"
                )
            continue
        places[where].append(label)
        properties[label] = {
            **(parameter.get("schema") or {"type": "string"}),
            **({"description": parameter["description"]} if "description" in parameter else {}),
        }
        if parameter.get("required") or where == "path":
            required.append(label)
    body = _body(document, op, at)
    if body is not None:
        properties["body"] = body
        required.append("body")
    schema = {"type": "object", "properties": properties, "required": required}
    if len(orjson.dumps(schema)) > MAX_SIZE:
        raise _refused(at, f"操作 {name} 的参数结构过大")
    try:
        return Function(
            name=name,
            description=str(op.get("description") or op.get("summary") or "")[:2000],
            parameters=schema,
            tool=at,
            method="GET" if method == "get" else "POST",
            url=base + path,
            in_path=tuple(places["path"]),
            in_query=tuple(places["query"]),
            takes_body=body is not None,
        )
    except ValidationError as error:
        raise _refused(at, f"操作 {name} 有误：{error.errors()[0]['msg']}") from error


def _body(document: Mapping[str, Any], op: Mapping[str, Any], at: int) -> dict[str, Any] | None:
    if not op.get("requestBody"):
        return None
    content = _filled(document, op["requestBody"], at).get("content") or {}
    schema = (content.get("application/json") or {}).get("schema")
    if not isinstance(schema, dict):
        raise _refused(at, f"操作 {op['operationId']} 的请求体应为 application/json")
    return cast(dict[str, Any], schema)


def _filled(document: Mapping[str, Any], value: Any, at: int, depth: int = 0) -> Any:
    """`value` with its references inside the document filled in."""
    if depth > MAX_DEPTH:
        raise _refused(at, f"引用超过 {MAX_DEPTH} 层或互相引用，请展开后登记")
    if isinstance(value, list):
        return [_filled(document, each, at, depth + 1) for each in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    fields = cast(dict[str, Any], value)
    if "$ref" not in fields:
        return {name: _filled(document, each, at, depth + 1) for name, each in fields.items()}
    place: Any = document
    reference = str(fields["$ref"])
    if not reference.startswith("#/"):
        raise _refused(at, f"引用“{reference[:80]}”不在文档内")
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or name not in place:
            raise _refused(at, f"引用“{reference[:80]}”不存在")
        place = cast(dict[str, Any], place)[name]
    return _filled(document, place, at, depth + 1)


def _refused(at: int, told: str) -> AssistantRefused:
    return AssistantRefused(f"第 {at + 1} 个工具：{told}。", f"tools.{at}")
