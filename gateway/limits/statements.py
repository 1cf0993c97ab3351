"""The SQL that counting sends besides a batch. Its functions stand in `limits.sql`."""

from typing import LiteralString

JOIN: LiteralString = """
SELECT limits_join(%s::text, %s::text, %s::text, %s::bigint, %s::bigint, %s::bigint[], %s::bigint[])
"""
REAP: LiteralString = "SELECT limits_reap(%s::bigint, %s::text[], %s::text, %s::bigint)"
LEAVE: LiteralString = "SELECT limits_give_up(%s::text, %s::bigint)"
ADD: LiteralString = """
INSERT INTO limit_counters (scope, kind, period, used, swept)
SELECT scope, kind, period, 0, 0
FROM unnest(%s::text[], %s::text[], %s::text[]) v(scope, kind, period) ORDER BY 1, 2, 3
ON CONFLICT (scope, kind, period) DO NOTHING
"""
FIND: LiteralString = """
SELECT scope, kind, period, c.id FROM limit_counters c
JOIN unnest(%s::text[], %s::text[], %s::text[]) v(scope, kind, period)
USING (scope, kind, period)
"""
LOOK: LiteralString = """
SELECT c.used - coalesce((SELECT sum(s.amount) FROM limit_slots s
                          WHERE s.counter = c.id AND s.slot < %s), 0),
       coalesce((SELECT sum(h.amount) FROM limit_holds h WHERE h.counter = c.id), 0),
       (SELECT max(s.slot) FROM limit_slots s WHERE s.counter = c.id)
FROM limit_counters c WHERE c.scope = %s AND c.kind = %s AND c.period = %s
"""
LEASED: LiteralString = """
WITH said AS (UPDATE limit_gateways SET leased_in = %s::text
              WHERE id = %s::text AND leased_in <> %s::text)
SELECT id FROM limit_gateways WHERE leased_in = %s::text AND leased_in <> '' AND id <> %s::text
"""
