-- Counting under limits, on PostgreSQL. Each call is one transaction of its own, so a gateway that
-- stops in the middle holds no lock. Order of locks: the gateway's row, then counters by id; slots
-- and holds are touched only under the lock of their counter. `p_moment` is for tests; else null.

CREATE FUNCTION limits_now(p_moment bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(p_moment, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
$$;

-- Gives back what settled requests did not spend, then takes what asks fit, in order, each under
-- every limit or under none.
--   p_counters  ids, ascending           p_rest   beside it: 0 for a minute limit, else the wait in µs
--   s_*         what comes back: place in p_counters, slot (0: no minute limit), amount, hold
--   a_end       of each ask, the place of its last demand
--   d_*         demands: place in p_counters, amount, limit
-- failing: of each ask 0 (taken) or the demand that makes it wait longest; waits: how long that is,
-- -1 for ever; levels: what was used of it then. totals: of each counter, afterwards.
CREATE FUNCTION limits_batch(
    p_gateway text, p_seq bigint, p_moment bigint, p_lease bigint,
    p_counters bigint[], p_rest bigint[],
    s_counter int[], s_slot bigint[], s_back bigint[], s_hold bigint[],
    a_end int[], d_counter int[], d_amount bigint[], d_limit bigint[],
    OUT state text, OUT moment bigint,
    OUT failing int[], OUT waits bigint[], OUT levels bigint[], OUT totals bigint[]
) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    c_size CONSTANT bigint := 100000;   -- a slot: a tenth of a second
    c_window CONSTANT bigint := 600;    -- slots in a minute
    n CONSTANT int := coalesce(cardinality(p_counters), 0);
    asks CONSTANT int := coalesce(cardinality(a_end), 0);
    last bigint; this bigint; sweeps bigint[]; old bigint[]; swept_at bigint[];
    taken bigint[]; holds bigint[];
    i int; c int; d int; first int := 1; total bigint;
    fits boolean; wait bigint; longest bigint;
    seen int := 0; ends bigint[]; sums bigint[];
BEGIN
    SELECT g.seq, g.moment, g.failing::int[] INTO last, moment, failing
        FROM limit_gateways g WHERE g.id = p_gateway FOR UPDATE;
    IF NOT FOUND THEN state := 'lapsed'; RETURN; END IF;
    IF p_seq <= last THEN state := 'again'; RETURN; END IF;
    state := 'done';
    IF coalesce(cardinality(s_counter), 0) = 0 THEN
        -- A reservation that a crash of the database forgets is charged when it settles.
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;

    SELECT array_agg(r.used ORDER BY r.id), array_agg(r.swept ORDER BY r.id) INTO old, swept_at
        FROM (SELECT k.id, k.used, k.swept FROM limit_counters k WHERE k.id = ANY (p_counters)
              ORDER BY k.id FOR UPDATE) r;
    IF coalesce(cardinality(old), 0) <> n THEN
        RAISE EXCEPTION 'limits: unknown counter' USING ERRCODE = 'ZW001';
    END IF;
    totals := coalesce(old, '{}');
    moment := limits_now(p_moment);  -- read under the locks: it never runs backwards for a counter
    this := moment / c_size;

    SELECT array_agg(q.id) INTO sweeps FROM unnest(p_counters, p_rest, swept_at) q(id, rest, swept)
        WHERE q.rest = 0 AND q.swept < this;
    IF sweeps IS NOT NULL THEN
        FOR i, total IN
            WITH gone AS (DELETE FROM limit_slots s WHERE s.counter = ANY (sweeps)
                          AND s.slot < this - c_window RETURNING s.counter, s.amount)
            SELECT array_position(p_counters, g.counter), sum(g.amount) FROM gone g GROUP BY 1
        LOOP totals[i] := totals[i] - total; END LOOP;
    END IF;

    taken := array_fill(0::bigint, ARRAY[n]);
    holds := array_fill(0::bigint, ARRAY[n]);
    IF coalesce(cardinality(s_counter), 0) > 0 THEN
        FOR i, total IN
            WITH back AS (UPDATE limit_slots s SET amount = s.amount - b.back
                          FROM unnest(s_counter, s_slot, s_back) b(i, slot, back)
                          WHERE b.slot > 0 AND s.counter = p_counters[b.i] AND s.slot = b.slot
                          RETURNING b.i, b.back)
            SELECT b.i, sum(b.back) FROM back b GROUP BY 1
        LOOP totals[i] := totals[i] - total; END LOOP;
        FOR d IN 1..cardinality(s_counter) LOOP
            IF s_slot[d] = 0 THEN
                c := s_counter[d];
                totals[c] := totals[c] - s_back[d];
                holds[c] := holds[c] - s_hold[d];
            END IF;
        END LOOP;
    END IF;

    failing := array_fill(0, ARRAY[asks]);
    waits := array_fill(0::bigint, ARRAY[asks]);
    levels := array_fill(0::bigint, ARRAY[asks]);
    FOR a IN 1..asks LOOP
        fits := true; longest := -1;
        FOR d IN first..a_end[a] LOOP
            c := d_counter[d];
            IF totals[c] + d_amount[d] > d_limit[d] THEN
                fits := false;
                IF d_amount[d] > d_limit[d] THEN
                    wait := 9223372036854775807;
                ELSIF p_rest[c] > 0 THEN
                    wait := p_rest[c];
                ELSE
                    IF seen <> c THEN
                        seen := c;
                        SELECT array_agg(p.slot ORDER BY p.slot), array_agg(p.total ORDER BY p.slot)
                            INTO ends, sums FROM (
                                SELECT s.slot, sum(s.amount) OVER (ORDER BY s.slot)::bigint AS total
                                FROM limit_slots s WHERE s.counter = p_counters[c]) p;
                    END IF;
                    i := CASE WHEN sums IS NULL THEN 1
                         ELSE width_bucket(totals[c] + d_amount[d] - d_limit[d] - 1, sums) + 1 END;
                    wait := (coalesce(ends[i], this) + c_window + 1) * c_size - moment;
                END IF;
                IF wait > longest THEN
                    longest := wait; failing[a] := d; levels[a] := totals[c];
                    waits[a] := CASE WHEN d_amount[d] > d_limit[d] THEN -1 ELSE wait END;
                END IF;
            END IF;
        END LOOP;
        IF fits THEN
            FOR d IN first..a_end[a] LOOP
                c := d_counter[d];
                totals[c] := totals[c] + d_amount[d];
                IF p_rest[c] > 0 THEN holds[c] := holds[c] + d_amount[d];
                ELSE taken[c] := taken[c] + d_amount[d]; END IF;
            END LOOP;
        END IF;
        first := a_end[a] + 1;
    END LOOP;

    UPDATE limit_counters k SET used = v.used, swept = CASE WHEN v.rest = 0 THEN this ELSE 0 END
        FROM unnest(p_counters, totals, old, p_rest, swept_at) v(id, used, old, rest, swept)
        WHERE k.id = v.id AND (v.used <> v.old OR (v.rest = 0 AND v.swept < this));
    INSERT INTO limit_slots AS s (counter, slot, amount)
        SELECT v.id, this, v.amount FROM unnest(p_counters, taken) v(id, amount) WHERE v.amount <> 0
        ON CONFLICT (counter, slot) DO UPDATE SET amount = s.amount + excluded.amount;
    INSERT INTO limit_holds AS h (gateway, counter, amount)
        SELECT p_gateway, v.id, v.amount FROM unnest(p_counters, holds) v(id, amount)
        WHERE v.amount <> 0
        ON CONFLICT (gateway, counter) DO UPDATE SET amount = h.amount + excluded.amount;
    UPDATE limit_gateways g SET seq = p_seq, moment = limits_batch.moment,
        failing = limits_batch.failing::text, lease_until = limits_batch.moment + p_lease
        WHERE g.id = p_gateway;
END
$$;

-- Puts a gateway down, with what its open requests already hold when it was given up before.
-- Concurrency is taken again whatever the limit; money that lapsed is held again.
CREATE FUNCTION limits_join(
    p_gateway text, p_name text, p_was text, p_moment bigint, p_lease bigint,
    p_counters bigint[], p_amounts bigint[]
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE at CONSTANT bigint := limits_now(p_moment);
BEGIN
    INSERT INTO limit_gateways (id, name, seq, moment, failing, lease_until, leased_in)
        VALUES (p_gateway, p_name, 0, at, '{}', at + p_lease, '')
        ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN RETURN at; END IF;
    PERFORM 1 FROM limit_counters k WHERE k.id = ANY (p_counters) ORDER BY k.id FOR UPDATE;
    UPDATE limit_counters k SET used = k.used + v.amount
        FROM unnest(p_counters, p_amounts) v(id, amount)
        WHERE k.id = v.id AND k.kind = 'concurrency';
    INSERT INTO limit_holds (gateway, counter, amount)
        SELECT p_gateway, v.id, v.amount FROM unnest(p_counters, p_amounts) v(id, amount);
    DELETE FROM limit_lapses l WHERE l.gateway = p_was;
    RETURN at;
END
$$;

-- Gives up at most one gateway whose lease lapsed here, or that Redis (its run `p_run`) says is
-- gone while it has sent nothing for `p_quiet` µs. Returns its id, or null.
CREATE FUNCTION limits_reap(p_moment bigint, p_gone text[], p_run text, p_quiet bigint)
RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE at CONSTANT bigint := limits_now(p_moment); dead text;
BEGIN
    SELECT g.id INTO dead FROM limit_gateways g
        WHERE g.lease_until < at
           OR (g.id = ANY (p_gone) AND g.leased_in = p_run AND g.moment < at - p_quiet)
        ORDER BY g.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM limits_give_up(dead, at);
    RETURN dead;
END
$$;

CREATE FUNCTION limits_give_up(p_gateway text, p_moment bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM 1 FROM limit_counters k WHERE k.id IN
        (SELECT h.counter FROM limit_holds h WHERE h.gateway = p_gateway) ORDER BY k.id FOR UPDATE;
    UPDATE limit_counters k SET used = k.used - h.amount FROM limit_holds h
        WHERE h.gateway = p_gateway AND h.counter = k.id AND k.kind = 'concurrency';
    INSERT INTO limit_lapses (gateway, counter, amount, moment)
        SELECT p_gateway, h.counter, h.amount, limits_now(p_moment)
        FROM limit_holds h JOIN limit_counters k ON k.id = h.counter
        WHERE h.gateway = p_gateway AND k.kind <> 'concurrency' AND h.amount <> 0;
    DELETE FROM limit_holds h WHERE h.gateway = p_gateway;
    DELETE FROM limit_gateways g WHERE g.id = p_gateway;
END
$$;
