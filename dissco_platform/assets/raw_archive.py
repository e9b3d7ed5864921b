"""`raw_archive`: the published archive's bytes, content-addressed."""

from datetime import UTC, datetime

import dagster as dg

from dissco_platform.archives.sources import fetch_source, look_at_source
from dissco_platform.assets.descriptions import DESCRIPTIONS
from dissco_platform.assets.inputs import Facts, made_from
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.recording import (
    Materialized,
    Progress,
    Recording,
    is_forced,
    latest,
    result_again,
    told_plainly,
)
from dissco_platform.errors import SourceError
from dissco_platform.http import Validators
from dissco_platform.localfiles import local_path
from dissco_platform.registry.datasets import get_dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.enrolment import applied
from dissco_platform.resources import DatasetStoreResource, HttpClientResource, RegistryResource


@dg.asset(
    partitions_def=datasets,
    group_name=GROUPS["raw_archive"],
    kinds={"http", "file"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["raw_archive"],
    description=DESCRIPTIONS["raw_archive"],
)
def raw_archive(
    context: dg.AssetExecutionContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    http_client: HttpClientResource,
) -> Materialized:
    """Fetch the dataset's archive unless the source says that it is what was fetched before."""
    slug = context.partition_key
    with told_plainly(context), registry.opened() as known:
        with known.read() as connection:
            dataset = get_dataset(connection, slug)
            trusted = slug not in applied(connection)  # an operator named the source; strangers go through enrolment
        if not trusted and local_path(dataset.source) is not None:
            raise SourceError(
                f"{dataset.source} is not an http(s) address; enrolled datasets are fetched from the web only."
            )
        inputs = made_from("raw_archive", {}, Facts(dataset.source))
        before = latest(context.instance, "raw_archive", slug)
        client, files = http_client.client(), store.store()
        if before is not None and before.made_from == inputs and not is_forced(context):
            validators = Validators(before.text("etag"), before.text("last_modified"))
            kept = files.has_blob(before.data_version)
            signal = look_at_source(
                client, dataset.source, validators, before.data_version if kept else None, trusted=trusted
            )
            if not signal.changed:
                with known.write() as connection:
                    update_dataset(connection, slug, checked=now(), checked_by=signal.evidence)
                return result_again(context, before)
        recording = Recording(inputs)
        try:
            fetched = fetch_source(
                client, dataset.source, files.blobs, trusted=trusted, progress=Progress(context, "raw_archive")
            )
            files.keep_blob(fetched.sha256)
        except SourceError as error:
            with known.write() as connection:
                update_dataset(connection, slug, failed=now(), failure=str(error))
            raise
        with known.write() as connection:
            update_dataset(connection, slug, checked=now(), checked_by="download", failed=None, failure=None)
        recording.count(bytes=fetched.size)
        recording.metadata.update(
            {
                "source": dataset.source,
                "address": fetched.address,
                "sha256": fetched.sha256,
                "dagster/uri": files.address("blobs", fetched.sha256),
                "fetched": dg.MetadataValue.timestamp(datetime.now(UTC).timestamp()),
            }
        )
        if fetched.validators.etag:
            recording.metadata["etag"] = fetched.validators.etag
        if fetched.validators.last_modified:
            recording.metadata["last_modified"] = fetched.validators.last_modified
        return recording.result(fetched.sha256)
