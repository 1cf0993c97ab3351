"""Questions as people ask them, beside the clauses that answer them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asked",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kb", sa.String(length=64), nullable=False),
        sa.Column("document", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chunk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("clause_id", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("embedded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk"], ["chunks.id"], name=op.f("fk_asked_chunk_chunks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document"],
            ["documents.id"],
            name=op.f("fk_asked_document_documents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asked")),
    )
    with op.batch_alter_table("asked") as batch:
        batch.create_index("ix_asked_kb_embedded", ["kb", "embedded"], unique=False)
        batch.create_index(op.f("ix_asked_document"), ["document"], unique=False)
        batch.create_index(op.f("ix_asked_chunk"), ["chunk"], unique=False)
    with op.batch_alter_table("documents") as batch:
        batch.add_column(sa.Column("asked_digest", sa.String(length=64), nullable=True))
    op.add_column("generations", sa.Column("asked_segments", sa.JSON(), nullable=True))
    op.execute("UPDATE generations SET asked_segments = '[]'")
    with op.batch_alter_table("generations") as batch:
        batch.alter_column("asked_segments", existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("generations") as batch:
        batch.drop_column("asked_segments")
    with op.batch_alter_table("documents") as batch:
        batch.drop_column("asked_digest")
    op.drop_table("asked")
