"""The bench's judge finds what is wrong: an overshoot, a false refusal, and nothing else."""

from zhengwu.gateway.governed.caller import Caller, Limit
from zhengwu.gateway.limits.bench.verify import Ledger, Took, Turned, hold
from zhengwu.gateway.limits.kinds import amounts

LIMIT = Limit("key:k", "tokens_per_minute", 100)
WHO = Caller("k", "k", limits=(LIMIT,))
S = 1_000_000


def _took(moment: int, held: int, spent: int, settled: int) -> Took:
    return Took(moment, "k", amounts(0, held, 0), amounts(0, spent, 0), settled - 10, settled)


def _turned(moment: int, asked: int, used: int) -> Turned:
    return Turned(moment, "k", amounts(0, asked, 0), *("key:k", "tokens_per_minute"), 100, used)


def test_an_overshoot_is_found() -> None:
    fine = Ledger([_took(0, 60, 50, S), _took(2 * S, 50, 50, 3 * S)])
    assert hold(fine, [WHO])[0].highest == 100
    over = Ledger([_took(0, 60, 60, S), _took(59 * S, 50, 50, 60 * S)])
    assert hold(over, [WHO])[0].highest == 110


def test_a_false_refusal_is_found() -> None:
    took = [_took(0, 60, 50, S)]
    asked = [_turned(S // 2, 50, 60), _turned(2 * S, 50, 60), _turned(2 * S, 51, 50)]
    assert hold(Ledger(took, asked), [WHO])[0].false == 1
    assert hold(Ledger(took, [_turned(S // 2, 40, 60)]), [WHO])[0].false == 1
    assert hold(Ledger(took, [_turned(61 * S, 60, 50)]), [WHO])[0].false == 1
