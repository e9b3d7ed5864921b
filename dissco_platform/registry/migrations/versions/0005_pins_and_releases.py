"""Datasets can be held to an earlier mapping or checklist; new releases of the checklist are announced, not applied."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pin",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("since", sa.String(length=24), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("what IN ('mapping', 'checklist')", name=op.f("ck_pin_what")),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.slug"], name=op.f("fk_pin_dataset")),
        sa.PrimaryKeyConstraint("dataset", "what", name=op.f("pk_pin")),
    )
    op.create_table(
        "checklist_release",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("issued", sa.String(length=32), nullable=False),
        sa.Column("noticed", sa.String(length=24), nullable=False),
        sa.Column("announced", sa.String(length=24), nullable=True),
        sa.Column("version", sa.String(length=128), nullable=True),
        sa.Column("archive", sa.String(length=64), nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("previewed", sa.String(length=24), nullable=True),
        sa.Column("adopted", sa.String(length=24), nullable=True),
        sa.Column("adopted_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_checklist_release")),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("checklist_release")
    op.drop_table("pin")
