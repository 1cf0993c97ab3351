"""Counters of limits and budgets."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FUNCTIONS = Path(__file__).parents[1] / "limits.sql"
ROOMY = {"fillfactor": 50}
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "limit_counters",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("swept", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_counters")),
        sa.UniqueConstraint(
            "scope", "kind", "period", name=op.f("uq_limit_counters_scope_kind_period")
        ),
        postgresql_with=ROOMY,
    )
    op.create_table(
        "limit_slots",
        sa.Column("counter", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("counter", "slot", name=op.f("pk_limit_slots")),
        postgresql_with=ROOMY,
    )
    op.create_table(
        "limit_gateways",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("failing", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("leased_in", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_gateways")),
        postgresql_with=ROOMY,
    )
    op.create_table(
        "limit_holds",
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("counter", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "counter", name=op.f("pk_limit_holds")),
        postgresql_with=ROOMY,
    )
    op.create_table(
        "limit_lapses",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_lapses")),
    )
    with op.batch_alter_table("limit_lapses", schema=None) as batch_op:
        batch_op.create_index("ix_limit_lapses_gateway", ["gateway"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        # Straight to the driver: the colons in it are casts, not parameters.
        op.get_bind().exec_driver_sql(FUNCTIONS.read_text(encoding="utf-8"))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name in ("batch", "join", "reap", "give_up", "now"):
            op.execute(f"DROP FUNCTION limits_{name}")
    for table in ("lapses", "holds", "gateways", "slots", "counters"):
        op.drop_table(f"limit_{table}")
