"""Three administrators kept apart: no role, no combination and no chain of steps joins them."""

from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.gateway.tenancy.errors import BadValue, Forbidden
from zhengwu.gateway.tenancy.roles import HOST, THREE, Actor, check, check_grant, load_roles

DATA = load_roles()
PEOPLE = [name for name in DATA.roles if name != HOST]


def test_the_three_share_no_right_to_change_anything() -> None:
    shared = {
        (one, other): DATA.roles[one].may & DATA.roles[other].may
        for one, other in product(THREE, THREE)
        if one < other
    }
    for pair, actions in shared.items():
        changing = {action for action in actions if not action.endswith(".read")}
        assert changing <= {"key.revoke", "user.disable"}, pair  # either may stop something


def test_the_audit_administrator_reads_and_exports_only() -> None:
    assert DATA.roles["audit_admin"].may == {"audit.read", "audit.export"}
    for name, role in DATA.roles.items():
        assert name == "audit_admin" or not role.may & {"audit.read", "audit.export"}


@pytest.mark.parametrize("name", PEOPLE)
def test_no_role_joins_what_is_kept_apart(name: str) -> None:
    assert not [pair for pair in DATA.apart if pair <= DATA.roles[name].may]


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("action", DATA.actions)
def test_check_says_what_the_file_says(name: str, action: str) -> None:
    role = DATA.roles[name]
    actor = Actor("user:x", name, ("root", "a"))
    if action in role.may:
        check(actor, action)
        with pytest.raises(Forbidden):
            check(Actor("user:x", name, ("root", "a"), complete=False), action)
    else:
        with pytest.raises(Forbidden):
            check(actor, action)


def test_reach() -> None:
    head = Actor("user:h", "tenant_admin", ("root", "a"))
    check(head, "key.create", ("root", "a"))
    check(head, "key.create", ("root", "a", "b"))
    for path in (("root",), ("root", "b"), ("root", "ab"), ("a",), ()):
        with pytest.raises(Forbidden):
            check(head, "key.create", path)
    with pytest.raises(Forbidden):
        check(Actor("user:h", "tenant_admin", ()), "key.create", ("root",))


@pytest.mark.parametrize("role", ["", "root", "Admin", "x" * 100_000])
def test_unknown_roles(role: str) -> None:
    with pytest.raises(BadValue):
        check_grant(Actor("user:x", "system_admin"), role)
    with pytest.raises(BadValue):
        check(Actor("user:x", role), "key.read")


@dataclass
class Attacker:
    """One person, the accounts whose password it knows, and everything it may do with them."""

    role: str
    known: set[str] = field(default_factory=set[str])

    def actions(self) -> set[str]:
        return {a for role in {self.role, *self.known} for a in DATA.roles[role].may}

    def step(self, kind: str, role: str) -> None:
        """Try to come to know an account of `role`, as each account it has may."""
        for name in {self.role, *self.known}:
            actor = Actor(f"user:{name}", name, ("root", "a"))
            action = {"create": "user.create", "reset": "user.reset"}[kind]
            try:
                check(actor, action, ("root", "a"))
                check_grant(actor, role)
                if kind == "reset" and role in THREE:
                    check(actor, "user.reset_admin")
            except Forbidden:
                continue
            self.known.add(role)

    def promote(self, old: str, new: str) -> None:
        """Try to give another role to an account whose password it knows."""
        for name in {self.role, *self.known}:
            actor = Actor(f"user:{name}", name, ("root", "a"))
            try:
                check(actor, "role.grant", ("root", "a"))
                check_grant(actor, old)
                check_grant(actor, new)
            except Forbidden:
                continue
            if old in self.known:
                self.known.add(new)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "reset", "promote"]),
        st.sampled_from(PEOPLE),
        st.sampled_from(PEOPLE),
    ),
    max_size=25,
)


@given(st.sampled_from(PEOPLE), STEPS)
def test_no_chain_of_steps_escalates(role: str, steps: list[tuple[str, str, str]]) -> None:
    attacker = Attacker(role)
    for kind, one, other in steps:
        if kind == "promote":
            attacker.promote(one, other)
        else:
            attacker.step(kind, one)
    joined = [pair for pair in DATA.apart if pair <= attacker.actions()]
    assert not joined
    if role not in THREE:
        assert not attacker.known & set(THREE)
    assert len(({role} | attacker.known) & set(THREE)) <= 1
