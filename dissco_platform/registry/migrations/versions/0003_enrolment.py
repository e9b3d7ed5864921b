"""Enrolment: applications, their events, allocation rounds, letters"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "application",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("registered", sa.String(length=24), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'checked', 'not_ready', 'waiting', 'granted', 'loading', 'active', 'paused', "
            "'declined', 'withdrawn')",
            name=op.f("ck_application_state"),
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_application")),
    )
    op.create_table(
        "application_event",
        sa.Column("id", _ID, nullable=False),
        sa.Column("application", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=True),
        sa.Column("after", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["application"], ["application.slug"], name=op.f("fk_application_event_application")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_event")),
    )
    with op.batch_alter_table("application_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_application_event_application"), ["application"], unique=False)
    op.create_table(
        "allocation_round",
        sa.Column("id", _ID, nullable=False),
        sa.Column("time", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("inputs_hash", sa.String(length=32), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_round")),
    )
    with op.batch_alter_table("allocation_round", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_allocation_round_year"), ["year"], unique=False)
    op.create_table(
        "allocation_grant",
        sa.Column("round_id", _ID, nullable=False),
        sa.Column("application", sa.String(length=64), nullable=False),
        sa.Column("lane", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["application"], ["application.slug"], name=op.f("fk_allocation_grant_application")),
        sa.ForeignKeyConstraint(["round_id"], ["allocation_round.id"], name=op.f("fk_allocation_grant_round_id")),
        sa.PrimaryKeyConstraint("round_id", "application", "lane", name=op.f("pk_allocation_grant")),
    )
    op.create_table(
        "notification",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("application", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created", sa.String(length=24), nullable=False),
        sa.Column("sent", sa.String(length=24), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["application"], ["application.slug"], name=op.f("fk_notification_application")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notification")),
    )
    with op.batch_alter_table("notification", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notification_application"), ["application"], unique=False)


def downgrade() -> None:
    """Revert."""
    op.drop_table("notification")
    op.drop_table("allocation_grant")
    op.drop_table("allocation_round")
    op.drop_table("application_event")
    op.drop_table("application")
