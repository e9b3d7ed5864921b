"""What each publication of a dataset came to is kept for its page."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "harvest",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("published", sa.String(length=24), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.slug"], name=op.f("fk_harvest_dataset")),
        sa.PrimaryKeyConstraint("dataset", "published", name=op.f("pk_harvest")),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_table("harvest")
