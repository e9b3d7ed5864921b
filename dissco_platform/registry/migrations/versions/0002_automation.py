"""What automation knows of datasets, and copies of what materialisations record."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "watch",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("due", sa.String(length=24), nullable=True),
        sa.Column("looks_failed", sa.Integer(), nullable=False),
        sa.Column("against", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("feed", sa.Text(), nullable=True),
        sa.Column("changed", sa.Text(), nullable=True),
        sa.Column("changed_since", sa.String(length=24), nullable=True),
        sa.Column("run_failed", sa.String(length=24), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("run_failure", sa.Text(), nullable=True),
        sa.Column("cleared", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.slug"], name=op.f("fk_watch_dataset")),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_watch")),
    )
    op.create_table(
        "recorded",
        sa.Column("instance", sa.String(length=64), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("storage_id", sa.BigInteger(), nullable=False),
        sa.Column("data_version", sa.String(length=128), nullable=False),
        sa.Column("made_from", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.Float(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("instance", "asset", "dataset", name=op.f("pk_recorded")),
    )
    op.create_table(
        "mapping_version",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_mapping_version")),
    )


def downgrade() -> None:
    """Take back."""
    for table in ("mapping_version", "recorded", "watch"):
        op.drop_table(table)
