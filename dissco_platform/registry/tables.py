"""The registry's tables: identities, versions, states, the outbox. One definition for SQLite and PostgreSQL.

A change here needs a migration beside it in `migrations/versions` (a test compares the two). Documents themselves are
in the store; the registry knows in which batch.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives row ids only to INTEGER primary keys.
_Id = BigInteger().with_variant(Integer, "sqlite")

# All times are UTC in ISO 8601 with milliseconds, so that both databases order and print them alike.
_Time = String(24)

setting = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

dataset = Table(
    "dataset",
    metadata,
    Column("slug", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("organisation_id", String(128), nullable=False),
    Column("organisation_name", Text),
    Column("source_system_id", String(128), nullable=False, unique=True),
    Column("doi_only", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", _Time, nullable=False),
    Column("title", Text),
    # The last complete look at the source, and the last failure to look.
    Column("checked", _Time),
    Column("checked_by", String(32)),
    Column("failed", _Time),
    Column("failure", Text),
    # When a person last decided something that the next publication carries out; null: nothing is to be carried out.
    Column("decided", _Time),
    # Summary of the latest publication as JSON: what `dissco dataset show` and `dissco status` print.
    Column("latest", Text),
    CheckConstraint("state IN ('active', 'paused', 'removed')", name="state"),
)

batch = Table(
    "batch",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("dataset", String(64), ForeignKey("dataset.slug"), nullable=False, index=True),
    Column("path", String(255), nullable=False),
    Column("created", _Time, nullable=False),
    Column("made_from", Text, nullable=False),  # JSON: archive, checklist release, mapping version, code version
)

# One row per Digital Specimen or Digital Media object that ever got a DOI, or waits for one.
digital_object = Table(
    "digital_object",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("dataset", String(64), ForeignKey("dataset.slug"), nullable=False),
    Column("identity_key", Text, nullable=False),
    Column("suffix", String(11), unique=True),  # null while waiting for quota
    Column("attempt", SmallInteger, nullable=False),  # which probe of the keyed hash was free
    Column("state", String(16), nullable=False),
    Column("doi_only", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("content_hash", String(32), nullable=False),
    Column("visible_hash", String(32), nullable=False),  # what DataCite was last asked to show
    Column("doi_state", String(16), nullable=False),
    Column("created", _Time, nullable=False),
    Column("modified", _Time, nullable=False),
    Column("missed", Integer, nullable=False),  # complete harvests in a row without it
    CheckConstraint("kind IN ('specimen', 'media')", name="kind"),
    CheckConstraint("state IN ('active', 'missing', 'tombstoned', 'waiting_quota')", name="state"),
    CheckConstraint("doi_state IN ('none', 'pending', 'registered', 'failed')", name="doi_state"),
    Index(None, "kind", "identity_key", unique=True),
    Index(None, "dataset", "kind"),
)

version = Table(
    "version",
    metadata,
    Column("object_id", _Id, ForeignKey("digital_object.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("batch_id", _Id, ForeignKey("batch.id"), nullable=False, index=True),
    Column("content_hash", String(32), nullable=False),
    Column("created", _Time, nullable=False),
    # comma-separated: new, source, names, mapping, code, linked, identifier, dataset, vanished, withdrawn, merged
    Column("cause", String(64), nullable=False),
    sqlite_with_rowid=False,
)

# Transactional outbox: one row per DOI whose DataCite record is behind; the newest payload replaces an older one.
outbox = Table(
    "outbox",
    metadata,
    Column("object_id", _Id, ForeignKey("digital_object.id"), primary_key=True, autoincrement=False),
    Column("dataset", String(64), nullable=False),
    Column("lane", SmallInteger, nullable=False),  # 0 tombstone, 1 new, 2 update: drained in this order
    Column("version", Integer, nullable=False),
    Column("batch_id", _Id, ForeignKey("batch.id"), nullable=False),
    Column("visible_hash", String(32), nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Float, nullable=False),  # seconds since the epoch
    Column("leased_until", Float, nullable=False),
    Column("leased_by", String(64)),
    Column("error", Text),
    CheckConstraint("state IN ('queued', 'dead')", name="state"),
    Index(None, "state", "dataset", "lane", "batch_id", "object_id"),
    Index(None, "state", "lane", "batch_id", "object_id"),
)

# Records that are nobody's new specimen until a person has looked.
held = Table(
    "held",
    metadata,
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("identity_key", Text, primary_key=True),
    Column("reason", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("since", _Time, nullable=False),
    Column("object_id", _Id),  # the object that it may be
)

# What a person decided on a held record: it is no object that we know, whatever speaks for it.
decision = Table(
    "decision",
    metadata,
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("identity_key", Text, primary_key=True),
    Column("verdict", String(8), nullable=False),
    Column("who", String(128), nullable=False),
    Column("time", _Time, nullable=False),
    CheckConstraint("verdict IN ('new')", name="verdict"),
)

# Identity keys that an object had before: its institution renamed it, the DOI stayed.
former_key = Table(
    "former_key",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("identity_key", Text, primary_key=True),
    Column("object_id", _Id, ForeignKey("digital_object.id"), nullable=False, index=True),
    Column("until", _Time, nullable=False),
)

# Objects that a person ended: they do not return when their source goes on publishing them.
ending = Table(
    "ending",
    metadata,
    Column("object_id", _Id, ForeignKey("digital_object.id"), primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("into_id", _Id, ForeignKey("digital_object.id")),  # the object that remains of two
    Column("reason", Text, nullable=False),
    Column("who", String(128), nullable=False),
    Column("time", _Time, nullable=False),
    CheckConstraint("kind IN ('withdrawn', 'merged')", name="kind"),
)

# Two specimens of one organisation that have the same local identifier in different datasets: reported, never merged.
likeness = Table(
    "likeness",
    metadata,
    Column("object_id", _Id, ForeignKey("digital_object.id"), primary_key=True, autoincrement=False),
    Column("other_id", _Id, ForeignKey("digital_object.id"), primary_key=True, autoincrement=False),
    Column("since", _Time, nullable=False),
)

# Datasets that use a medium of another dataset of their organisation: it does not end before they stop.
media_use = Table(
    "media_use",
    metadata,
    Column("object_id", _Id, ForeignKey("digital_object.id"), primary_key=True, autoincrement=False),
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True, index=True),
)

# When the next request may be sent to a service whose limit several processes share (seconds since the epoch).
pace = Table(
    "pace",
    metadata,
    Column("service", String(255), primary_key=True),
    Column("next", Float, nullable=False),
)

quota = Table(
    "quota",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("used", Integer, nullable=False),
)

# What automation knows of a dataset: when its source is looked at next, what the last look said, what its runs came to.
watch = Table(
    "watch",
    metadata,
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("due", _Time),
    Column("looks_failed", Integer, nullable=False),  # in a row
    # The look compared the source with this materialisation of raw_archive (Dagster's storage id).
    Column("against", BigInteger),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("feed", Text),  # version in the publisher's feed when the source was last known to be what we hold
    Column("changed", Text),  # by which evidence it differs; null: it does not
    Column("changed_since", _Time),
    Column("run_failed", _Time),
    Column("run_id", String(36)),
    Column("run_failure", Text),  # the failing step's own sentence
    Column("cleared", _Time),  # a person asked to try again: failed runs before this do not count
)

# Copies of what Dagster's materialisations record, so that a comparison of all datasets reads no large events twice.
# A row holds for its storage id only, and events never change; it may be deleted at any time.
recorded = Table(
    "recorded",
    metadata,
    Column("instance", String(64), primary_key=True),
    Column("asset", String(64), primary_key=True),
    Column("dataset", String(64), primary_key=True),
    Column("storage_id", BigInteger, nullable=False),
    Column("data_version", String(128), nullable=False),
    Column("made_from", Text, nullable=False),  # JSON
    Column("facts", Text, nullable=False),  # JSON: the few metadata entries that a comparison needs
    Column("timestamp", Float, nullable=False),
    Column("run_id", String(36), nullable=False),
)

# Version of a dataset's resolved mapping by the digest of all that it is resolved from.
mapping_version = Table(
    "mapping_version",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("version", String(64), nullable=False),
)

# What an operator holds a dataset to, instead of what is newest.
pin = Table(
    "pin",
    metadata,
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("version", String(128), nullable=False),  # data version of the asset, which names its folder in the store
    Column("label", Text, nullable=False),  # what people call it
    Column("facts", Text, nullable=False),  # JSON, of a mapping: version by kind of archive
    Column("since", _Time, nullable=False),
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("what IN ('mapping', 'checklist')", name="what"),
)

# Releases of the checklist that were noticed; none is put into use without a person's word.
checklist_release = Table(
    "checklist_release",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("label", Text, nullable=False),
    Column("source", Text, nullable=False),  # path or address of its archive
    Column("issued", String(32), nullable=False),
    Column("noticed", _Time, nullable=False),
    Column("announced", _Time),  # people were told
    Column("version", String(128)),  # data version of its index, once it was built
    Column("archive", String(64)),  # SHA-256 that the index was built from
    Column("preview", Text),  # JSON: what adopting it would change, by dataset
    Column("previewed", _Time),
    Column("adopted", _Time),
    Column("adopted_by", String(128)),
)

# --- enrolment: one row an application, its events, the allocation rounds, the letters -------------------------------

# The present state; all of it follows from the events (`enrolment.desk.replay`).
application = Table(
    "application",
    metadata,
    Column("slug", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("registered", _Time, nullable=False),  # of pre-registration: decides among equal points
    Column("body", Text, nullable=False),  # JSON: form, facts, flags, granted, confirmed
    CheckConstraint(
        "state IN ('received', 'checked', 'not_ready', 'waiting', 'granted', 'loading', 'active', 'paused', 'declined', "
        "'withdrawn')",
        name="state",
    ),
)

application_event = Table(
    "application_event",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("application", String(64), ForeignKey("application.slug"), nullable=False, index=True),
    Column("time", _Time, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(16), nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("inputs", Text, nullable=False),  # JSON: all that the decision was made from
)

allocation_round = Table(
    "allocation_round",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("time", _Time, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("year", Integer, nullable=False, index=True),
    Column("inputs", Text, nullable=False),  # JSON: list, quota, parameters, history
    Column("inputs_hash", String(32), nullable=False),
    Column("result", Text, nullable=False),
)

allocation_grant = Table(
    "allocation_grant",
    metadata,
    Column("round_id", _Id, ForeignKey("allocation_round.id"), primary_key=True),
    Column("application", String(64), ForeignKey("application.slug"), primary_key=True),
    Column("lane", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("categories", Text, nullable=False),  # JSON: dimension → category at the time of the grant
)

# Letters to send: the key makes each happen once however often its cause is seen.
notification = Table(
    "notification",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("application", String(64), ForeignKey("application.slug"), nullable=False, index=True),
    Column("event", String(32), nullable=False),
    Column("recipient", String(254), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", _Time, nullable=False),
    Column("sent", _Time),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
)

# --- mass disappearances: so many specimens are missing that an operator has to confirm it -----------------------------

vanished = Table(
    "vanished",
    metadata,
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("missing", Integer, nullable=False),
    Column("since", _Time, nullable=False),
    Column("confirmed", Integer, nullable=False),  # missing specimens that the operator's word covers
    Column("confirmed_by", String(128)),
    Column("confirmed_at", _Time),
)

# --- the enrolment desk: work that waits for a worker, who may act, what was done -------------------------------------

desk_job = Table(
    "desk_job",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("application", String(64), ForeignKey("application.slug"), index=True),
    Column("inputs", Text, nullable=False),  # JSON
    Column("requested", _Time, nullable=False),
    Column("requested_by", String(128), nullable=False),
    Column("state", String(8), nullable=False),
    Column("owner", String(64)),  # the process at work: host:pid:…
    Column("started", _Time),
    Column("finished", _Time),
    Column("attempts", Integer, nullable=False),
    Column("progress", Text),
    Column("error", Text),
    CheckConstraint("kind IN ('check', 'round')", name="kind"),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
    Index(None, "state"),
)

staff = Table(
    "staff",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("token_hash", String(64), unique=True),  # SHA-256 of a random token; null: signs in with OIDC alone
    Column("subject", String(255), unique=True),  # OIDC: issuer and subject
    Column("created", _Time, nullable=False),
    Column("revoked", _Time),
    CheckConstraint("role IN ('reader', 'officer', 'manager')", name="role"),
)

# Who did what at the desk, when and why. Rows are added and never changed: the database refuses it (migration 0006), as
# it does for an application's events and for rounds and their grants.
audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("time", _Time, nullable=False, index=True),
    Column("actor", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON
)

# --- harvests: what each publication of a dataset came to (see `harvests`) ----------------------------------------------

harvest = Table(
    "harvest",
    metadata,
    Column("dataset", String(64), ForeignKey("dataset.slug"), primary_key=True),
    Column("published", _Time, primary_key=True),
    Column("body", Text, nullable=False),  # JSON
)
