"""Conversations do not forget: over a restart, over gateways, and when the database is gone."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import Grading
from zhengwu.gateway.governed.sessions_in_database import DatabaseSessions

CALLER = Caller("k1", "某应用", ("city",))


async def test_two_gateways_and_a_restart(engine: AsyncEngine) -> None:
    await migrate(engine)
    first, second = DatabaseSessions(engine), DatabaseSessions(engine)
    assert await second.grade(["b"]) == 1
    await first.carry(["a", "b"], 2)
    await first.carry(["a"], 3)
    await first.carry(["a"], 2)
    assert await first.grade(["a"]) == 3
    assert await DatabaseSessions(engine).grade(["a"]) == 3, "after a restart"
    assert await DatabaseSessions(engine).grade(["b", "c"]) == 2
    if engine.dialect.name == "postgresql":
        assert await second.grade(["b"]) == 2, "what another gateway raised is seen"


async def test_many_raise_at_once(engine: AsyncEngine) -> None:
    await migrate(engine)
    gateways = [DatabaseSessions(engine) for _ in range(4)]
    await asyncio.gather(*(g.carry(["x", "y"], 1 + n % 3) for n, g in enumerate(gateways * 3)))
    assert await DatabaseSessions(engine).grade(["y"]) == 3


async def test_what_fell_out_of_memory_is_in_the_database(engine: AsyncEngine) -> None:
    await migrate(engine)
    sessions = DatabaseSessions(engine, kept=2)
    for key in "abcd":
        await sessions.carry([key], 3)
    assert [await sessions.grade([key]) for key in "abcd"] == [3, 3, 3, 3]


async def test_without_a_database_it_fails_closed() -> None:
    engine = open_database("postgresql+psycopg://postgres@127.0.0.1:9/none")  # nobody listens
    grading = Grading(DatabaseSessions(engine))
    body = {"messages": [{"content": "居住证怎么办？"}], "user": "u"}
    assert (await grading.grade_request(CALLER, "1", body)).grade == 3
    await engine.dispose()
