"""Sends a problem as an HTTP answer. Shared by middleware, routes and the error handlers."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zhengwu.gateway.errors import Problem, body_of


def problem_response(problem: Problem, scope: Scope) -> Response:
    """`problem` in the shape that the path of `scope` speaks."""
    headers = {"cache-control": "no-store"}
    if problem.wait_s is not None:
        headers["retry-after"] = str(problem.wait_s)
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    body = body_of(problem, scope["path"], request_id(scope))
    return Response(body, problem.status, headers, media_type="application/json")


async def send_problem(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with `problem` from inside a middleware."""
    note(scope, code=problem.code)
    await problem_response(problem, scope)(scope, receive, send)


def request_id(scope: Scope) -> str:
    """The id that the outermost middleware gave this request."""
    return str(scope.get("state", {}).get("request_id", ""))


def note(scope: Scope, **facts: str | int) -> None:
    """Add facts to the access log line of this request: never text that a person wrote."""
    scope.setdefault("state", {}).setdefault("notes", {}).update(facts)
