"""Batches, stored responses and idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("input_file", sa.String(length=48), nullable=False),
        sa.Column("output_file", sa.String(length=48), nullable=True),
        sa.Column("error_file", sa.String(length=48), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("declared", sa.String(length=8), nullable=True),
        sa.Column("note", sa.JSON(), nullable=True),
        sa.Column("errors", sa.JSON(), nullable=True),
        sa.Column("times", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index("ix_batches_owner_created", "batches", ["owner", "created"], unique=False)
    op.create_index(op.f("ix_batches_status"), "batches", ["status"], unique=False)
    op.create_table(
        "idempotent_answers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotent_answers")),
    )
    op.create_index(
        op.f("ix_idempotent_answers_expires"), "idempotent_answers", ["expires"], unique=False
    )
    op.create_index(
        "ix_idempotent_answers_key_id_created",
        "idempotent_answers",
        ["key_id", "created"],
        unique=False,
    )
    op.create_table(
        "stored_responses",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("previous", sa.String(length=48), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.Column("declared", sa.String(length=8), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_responses")),
    )
    op.create_index(
        op.f("ix_stored_responses_expires"), "stored_responses", ["expires"], unique=False
    )
    op.create_index(
        "ix_stored_responses_owner_created", "stored_responses", ["owner", "created"], unique=False
    )
    op.create_table(
        "wire_files",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wire_files")),
    )
    op.create_index(op.f("ix_wire_files_expires"), "wire_files", ["expires"], unique=False)
    op.create_index("ix_wire_files_owner_created", "wire_files", ["owner", "created"], unique=False)
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.String(length=48), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("custom_id", sa.String(length=256), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch"], ["batches.id"], name=op.f("fk_batch_lines_batch_batches"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch", "number", name=op.f("pk_batch_lines")),
    )
    op.create_index("ix_batch_lines_batch_state", "batch_lines", ["batch", "state"], unique=False)
    op.create_table(
        "wire_file_parts",
        sa.Column("file", sa.String(length=48), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file"],
            ["wire_files.id"],
            name=op.f("fk_wire_file_parts_file_wire_files"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("file", "number", name=op.f("pk_wire_file_parts")),
    )


def downgrade() -> None:
    op.drop_table("wire_file_parts")
    op.drop_index("ix_batch_lines_batch_state", table_name="batch_lines")
    op.drop_table("batch_lines")
    op.drop_index("ix_wire_files_owner_created", table_name="wire_files")
    op.drop_index(op.f("ix_wire_files_expires"), table_name="wire_files")
    op.drop_table("wire_files")
    op.drop_index("ix_stored_responses_owner_created", table_name="stored_responses")
    op.drop_index(op.f("ix_stored_responses_expires"), table_name="stored_responses")
    op.drop_table("stored_responses")
    op.drop_index("ix_idempotent_answers_key_id_created", table_name="idempotent_answers")
    op.drop_index(op.f("ix_idempotent_answers_expires"), table_name="idempotent_answers")
    op.drop_table("idempotent_answers")
    op.drop_index(op.f("ix_batches_status"), table_name="batches")
    op.drop_index("ix_batches_owner_created", table_name="batches")
    op.drop_table("batches")
