"""The highest grade a conversation carried, by a digest of its id."""

import sqlalchemy as sa
from alembic import op

revision = "0004b"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session_grades",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session_grades")),
    )
    op.create_index("ix_session_grades_seen", "session_grades", ["seen"])


def downgrade() -> None:
    op.drop_index("ix_session_grades_seen", table_name="session_grades")
    op.drop_table("session_grades")
