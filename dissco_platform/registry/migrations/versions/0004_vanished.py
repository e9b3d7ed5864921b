"""Mass disappearances wait for an operator."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "vanished",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("since", sa.String(length=24), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=128), nullable=True),
        sa.Column("confirmed_at", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.slug"], name=op.f("fk_vanished_dataset")),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_vanished")),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("vanished")
