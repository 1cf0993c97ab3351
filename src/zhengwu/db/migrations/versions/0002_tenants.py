"""Tenants, users, roles and what keys belong to."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TENANTS = sa.table(
    "tenants",
    *(sa.column(name, sa.String()) for name in ("id", "name", "name_key", "level", "state")),
    sa.column("limits", sa.JSON()),
    sa.column("pseudonymise", sa.Boolean()),
    sa.column("keep_text", sa.Boolean()),
    sa.column("cost_centre", sa.String()),
    sa.column("created", MOMENT),
)
COUNTERS = sa.table(
    "change_counters", sa.column("name", sa.String()), sa.column("value", sa.BigInteger())
)
KEYS = sa.table(
    "api_keys",
    sa.column("role", sa.String()),
    sa.column("tenant", sa.String()),
    sa.column("limits", sa.JSON()),
)
ROLES = (("admin", "system_admin"), ("app", "developer"))


def upgrade() -> None:
    _tenants()
    _keys()
    _people()
    _records()
    _append_only()


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("parent", sa.String(32), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sa.String(200), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("division", sa.String(12), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("grade_ceiling", sa.Integer(), nullable=True),
        sa.Column("models", sa.JSON(), nullable=True),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("undeclared_grade", sa.Integer(), nullable=True),
        sa.Column("media_grade", sa.Integer(), nullable=True),
        sa.Column("pseudonymise", sa.Boolean(), nullable=False),
        sa.Column("keep_text", sa.Boolean(), nullable=False),
        sa.Column("cost_centre", sa.String(64), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["parent"], ["tenants.id"], name=op.f("fk_tenants_parent_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("parent", "name_key", name=op.f("uq_tenants_parent_name_key")),
    )
    op.create_table(
        "change_counters",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_change_counters")),
    )
    root = {
        "id": "root",
        "name": "平台",
        "name_key": "平台",
        "level": "province",
        "state": "active",
    }
    root |= {"limits": {}, "pseudonymise": False, "keep_text": False, "cost_centre": ""}
    op.bulk_insert(TENANTS, [{**root, "created": datetime.now(UTC)}])
    op.bulk_insert(COUNTERS, [{"name": name, "value": 0} for name in ("tenancy", "addresses")])


def _keys() -> None:
    with op.batch_alter_table("api_keys") as batch:
        batch.add_column(sa.Column("old_digest", sa.String(64), nullable=True))
        batch.add_column(sa.Column("old_until", MOMENT, nullable=True))
        batch.add_column(sa.Column("tenant", sa.String(32), nullable=True))
        batch.add_column(sa.Column("grade_ceiling", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("models", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("limits", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("last_used", MOMENT, nullable=True))
    op.execute(KEYS.update().values(tenant="root", limits={}))
    for old, new in ROLES:
        op.execute(KEYS.update().where(KEYS.c.role == old).values(role=new))
    with op.batch_alter_table("api_keys") as batch:
        batch.alter_column("tenant", existing_type=sa.String(32), nullable=False)
        batch.alter_column("limits", existing_type=sa.JSON(), nullable=False)
        batch.create_unique_constraint(op.f("uq_api_keys_old_digest"), ["old_digest"])
        batch.create_foreign_key(op.f("fk_api_keys_tenant_tenants"), "tenants", ["tenant"], ["id"])
        batch.create_index("ix_api_keys_tenant", ["tenant"])


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(64), nullable=False),
        sa.Column("display", sa.String(100), nullable=False),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("password", sa.String(200), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed", sa.Boolean(), nullable=False),
        sa.Column("totp_step", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(300), nullable=True),
        sa.Column("subject", sa.String(300), nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("last_sign_in", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_users_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name_key", name=op.f("uq_users_name_key")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_users_issuer_subject")),
    )
    op.create_index("ix_users_tenant", "users", ["tenant"])
    op.create_table(
        "recovery_codes",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("used", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user"], ["users.id"], name=op.f("fk_recovery_codes_user_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_user"), "recovery_codes", ["user"])
    op.create_table(
        "sign_in_failures",
        sa.Column("name_digest", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", MOMENT, nullable=True),
        sa.Column("updated", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name_digest", name=op.f("pk_sign_in_failures")),
    )
    op.create_index(op.f("ix_sign_in_failures_updated"), "sign_in_failures", ["updated"])
    op.create_table(
        "sign_in_sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("seen", MOMENT, nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user"], ["users.id"], name=op.f("fk_sign_in_sessions_user_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_sessions")),
    )
    op.create_index(op.f("ix_sign_in_sessions_user"), "sign_in_sessions", ["user"])
    op.create_index(op.f("ix_sign_in_sessions_ends"), "sign_in_sessions", ["ends"])
    op.create_table(
        "oidc_states",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("verifier", sa.String(128), nullable=False),
        sa.Column("back", sa.String(500), nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oidc_states")),
    )
    op.create_index(op.f("ix_oidc_states_ends"), "oidc_states", ["ends"])


def _records() -> None:
    op.create_table(
        "pool_address_lists",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool_address_lists")),
    )
    op.create_table(
        "admin_actions",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("after", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_actions")),
    )
    op.create_index("ix_admin_actions_at", "admin_actions", ["at"])


def _append_only() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION admin_actions_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'admin_actions is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER admin_actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON admin_actions FOR EACH STATEMENT EXECUTE FUNCTION admin_actions_append_only()"
        )
        return
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER admin_actions_no_{what.lower()} BEFORE {what} ON admin_actions "
            "BEGIN SELECT RAISE(ABORT, 'admin_actions is append-only'); END"
        )


def downgrade() -> None:
    for table in ("admin_actions", "pool_address_lists", "oidc_states", "sign_in_sessions"):
        op.drop_table(table)
    for table in ("sign_in_failures", "recovery_codes", "users"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION admin_actions_append_only()")
    for old, new in ROLES:
        op.execute(KEYS.update().where(KEYS.c.role == new).values(role=old))
    with op.batch_alter_table("api_keys") as batch:
        batch.drop_index("ix_api_keys_tenant")
        batch.drop_constraint(op.f("fk_api_keys_tenant_tenants"), type_="foreignkey")
        batch.drop_constraint(op.f("uq_api_keys_old_digest"), type_="unique")
        for column in (
            "old_digest",
            "old_until",
            "tenant",
            "grade_ceiling",
            "models",
            "limits",
            "last_used",
        ):
            batch.drop_column(column)
    op.drop_table("change_counters")
    op.drop_table("tenants")
