"""The capability catalogue."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assistants",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_assistants")),
    )
    op.create_index(op.f("ix_assistants_owner"), "assistants", ["owner"], unique=False)
    op.create_table(
        "assistant_shares",
        sa.Column("assistant", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("quota", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant"],
            ["assistants.name"],
            name=op.f("fk_assistant_shares_assistant_assistants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("assistant", "tenant", name=op.f("pk_assistant_shares")),
    )
    op.create_table(
        "assistant_versions",
        sa.Column("assistant", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("functions", sa.JSON(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant"],
            ["assistants.name"],
            name=op.f("fk_assistant_versions_assistant_assistants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("assistant", "version", name=op.f("pk_assistant_versions")),
    )


def downgrade() -> None:
    op.drop_table("assistant_versions")
    op.drop_table("assistant_shares")
    op.drop_index(op.f("ix_assistants_owner"), table_name="assistants")
    op.drop_table("assistants")
