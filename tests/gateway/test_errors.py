"""Every error has a status, two shapes and no inner detail."""

import json
from collections.abc import Iterator

import pytest

from zhengwu.errors import SettingsError, ZhengwuError
from zhengwu.gateway import errors
from zhengwu.gateway.errors import INTERNAL, STATUS, Problem, body_of, from_error, from_status
from zhengwu.models import errors as model_errors
from zhengwu.models.errors import EgressRefused, UnknownModel, UpstreamError, UpstreamFailed
from zhengwu.rag.errors import BadQuestion, UnknownClause, UnknownKnowledgeBase, UnknownRegion

NOT_OVER_HTTP = {
    "gateway",
    "port_taken",
    "already_running",
    "needs_server_database",
    "workers_failed",
}


def tree(*modules: object) -> Iterator[type[ZhengwuError]]:
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, ZhengwuError):
                yield value


KINDS = {
    *tree(errors),
    UnknownKnowledgeBase,
    UnknownRegion,
    UnknownClause,
    BadQuestion,
    *(k for k in tree(model_errors) if issubclass(k, UnknownModel | EgressRefused | UpstreamError)),
}


@pytest.mark.parametrize("kind", sorted(KINDS, key=str), ids=str)
def test_every_error_of_the_rooms_below_has_a_status(kind: type[ZhengwuError]) -> None:
    assert kind is ZhengwuError or kind.code in {*STATUS, *NOT_OVER_HTTP}


def test_an_error_without_a_status_tells_no_inner_detail() -> None:
    assert from_error(SettingsError("ZHENGWU_X: secret")) == Problem(500, "internal", INTERNAL)


def test_an_upstreams_own_refusal_of_our_key_is_not_the_callers() -> None:
    told = {
        status: from_error(UpstreamFailed("", status)).status for status in (400, 401, 429, 500)
    }
    assert told == {400: 400, 401: 502, 429: 429, 500: 502}


def test_both_shapes() -> None:
    problem = from_error(UnknownModel("没有名为“x”的模型"))
    openai = json.loads(body_of(problem, "/v1/models", "r"))["error"]
    assert openai == {
        "message": "没有名为“x”的模型",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    ours = json.loads(body_of(problem, "/api/qa", "r"))["error"]
    assert ours == {"code": "unknown_model", "message": "没有名为“x”的模型", "request_id": "r"}


def test_the_frameworks_own_refusals() -> None:
    assert from_status(405).code == "method_not_allowed"
    assert from_status(418).status == 418
