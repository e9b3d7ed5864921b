"""People's decisions on identities; media that datasets share; a pace that processes share."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("dataset", sa.Column("decided", sa.String(length=24), nullable=True))
    op.add_column("held", sa.Column("object_id", _ID, nullable=True))
    op.create_table(
        "decision",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("identity_key", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("time", sa.String(length=24), nullable=False),
        sa.CheckConstraint("verdict IN ('new')", name=op.f("ck_decision_verdict")),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.slug"], name=op.f("fk_decision_dataset")),
        sa.PrimaryKeyConstraint("dataset", "identity_key", name=op.f("pk_decision")),
    )
    op.create_table(
        "former_key",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("identity_key", sa.Text(), nullable=False),
        sa.Column("object_id", _ID, nullable=False),
        sa.Column("until", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["digital_object.id"], name=op.f("fk_former_key_object_id")),
        sa.PrimaryKeyConstraint("kind", "identity_key", name=op.f("pk_former_key")),
    )
    op.create_index(op.f("ix_former_key_object_id"), "former_key", ["object_id"])
    op.create_table(
        "ending",
        sa.Column("object_id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("into_id", _ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("time", sa.String(length=24), nullable=False),
        sa.CheckConstraint("kind IN ('withdrawn', 'merged')", name=op.f("ck_ending_kind")),
        sa.ForeignKeyConstraint(["object_id"], ["digital_object.id"], name=op.f("fk_ending_object_id")),
        sa.ForeignKeyConstraint(["into_id"], ["digital_object.id"], name=op.f("fk_ending_into_id")),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_ending")),
    )
    op.create_table(
        "likeness",
        sa.Column("object_id", _ID, autoincrement=False, nullable=False),
        sa.Column("other_id", _ID, autoincrement=False, nullable=False),
        sa.Column("since", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["digital_object.id"], name=op.f("fk_likeness_object_id")),
        sa.ForeignKeyConstraint(["other_id"], ["digital_object.id"], name=op.f("fk_likeness_other_id")),
        sa.PrimaryKeyConstraint("object_id", "other_id", name=op.f("pk_likeness")),
    )
    op.create_table(
        "media_use",
        sa.Column("object_id", _ID, autoincrement=False, nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.slug"], name=op.f("fk_media_use_dataset")),
        sa.ForeignKeyConstraint(["object_id"], ["digital_object.id"], name=op.f("fk_media_use_object_id")),
        sa.PrimaryKeyConstraint("object_id", "dataset", name=op.f("pk_media_use")),
    )
    op.create_index(op.f("ix_media_use_dataset"), "media_use", ["dataset"])
    op.create_table(
        "pace",
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("next", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_pace")),
    )


def downgrade() -> None:
    """Revert."""
    for table in ("pace", "media_use", "likeness", "ending", "former_key", "decision"):
        op.drop_table(table)
    op.drop_column("held", "object_id")
    op.drop_column("dataset", "decided")
