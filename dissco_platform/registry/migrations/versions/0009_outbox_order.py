"""The outbox is leased in the order of its indexes."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.drop_index(op.f("ix_outbox_state_dataset_lane_object_id"), "outbox")
    op.create_index(
        op.f("ix_outbox_state_dataset_lane_batch_id_object_id"),
        "outbox",
        ["state", "dataset", "lane", "batch_id", "object_id"],
    )
    op.create_index(
        op.f("ix_outbox_state_lane_batch_id_object_id"), "outbox", ["state", "lane", "batch_id", "object_id"]
    )


def downgrade() -> None:
    """Revert."""
    op.drop_index(op.f("ix_outbox_state_lane_batch_id_object_id"), "outbox")
    op.drop_index(op.f("ix_outbox_state_dataset_lane_batch_id_object_id"), "outbox")
    op.create_index(op.f("ix_outbox_state_dataset_lane_object_id"), "outbox", ["state", "dataset", "lane", "object_id"])
