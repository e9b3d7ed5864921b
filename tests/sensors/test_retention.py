"""The retention sweep removes what nothing needs, and nothing else."""

import os

import dagster as dg
import polars as pl

from dissco_platform.registry.pins import CHECKLIST, set_pin
from dissco_platform.registry.releases import notice_release, save_preview
from tests.sensors.house import AutomatedHouse


def test_old_versions_go_and_what_is_in_use_stays(house: AutomatedHouse) -> None:
    store = house.store.root
    for stage in ("parsed_records", "taxon_harmonised", "documents", "digital_specimens"):
        for day in range(3):
            path = store / stage / "alpha" / f"old{day}"
            path.mkdir()
            if stage == "digital_specimens":
                pl.DataFrame({"batch": [f"old{day}"]}).write_parquet(path / "specimens.parquet")
            os.utime(path, (day, day))
    blobs = sorted((store / "blobs").iterdir())
    job = house.definitions.resolve_job_def("retention_sweep")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    for dry_run, expected in ((True, "versions_found"), (False, "versions_removed"), (False, None)):
        result = job.execute_in_process(
            run_config={**quiet, "ops": {"sweep_store": {"config": {"keep": 2, "dry_run": dry_run}}}},
            instance=house.instance,
        )
        output = next(e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_OUTPUT)
        counts = {name: value.value for name, value in output.step_output_data.metadata.items()}
        # The current version and the newest old one are kept, of each stage; documents follow the tables.
        assert counts["versions_found"] == (8 if expected else 0)
        if expected:
            assert counts["versions_removed"] == (0 if dry_run else 8)
    names = {stage: {path.name for path in (store / stage / "alpha").iterdir()} for stage in ("documents", "mapping")}
    assert "old2" in names["documents"] and not names["documents"] & {"old0", "old1"} and len(names["documents"]) == 2
    assert len(names["mapping"]) == 1
    assert sorted((store / "blobs").iterdir()) == blobs
    assert house.settle() == []


def test_a_dataset_with_a_run_in_flight_is_left_alone(house: AutomatedHouse) -> None:
    old = house.store.root / "parsed_records" / "alpha" / "old"
    old.mkdir()
    os.utime(old, (0, 0))
    job = house.definitions.resolve_implicit_global_asset_job_def()
    house.instance.create_run_for_job(job, tags={"dagster/partition": "alpha"}, status=dg.DagsterRunStatus.STARTED)
    house.definitions.resolve_job_def("retention_sweep").execute_in_process(
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "ops": {"sweep_store": {"config": {"keep": 1}}},
        },
        instance=house.instance,
    )
    assert old.is_dir()


def test_indexes_of_checklists_go_when_nothing_uses_them(house: AutomatedHouse) -> None:
    folder = house.store.root / "catalogue_of_life" / "checklist"
    (in_use,) = folder.iterdir()
    for day, name in enumerate(("oldest", "pinned", "previewed", "newest")):
        (folder / name).mkdir()
        os.utime(folder / name, (day, day))
    os.utime(in_use, (-1, -1))  # an earlier release that was taken into use again
    with house.registry.write() as connection:
        set_pin(connection, "alpha", CHECKLIST, version="pinned", label="2025", by="anna")
        notice_release(
            connection, key="2027", label="Checklist 2027", source="https://example.org/2027.zip", issued="2027-01-01"
        )
        save_preview(connection, "2027", version="previewed", archive="0" * 64, effect={})

    def sweep(**config: object) -> set[str]:
        house.definitions.resolve_job_def("retention_sweep").execute_in_process(
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {"sweep_store": {"config": {"keep": 1, **config}}},
            },
            instance=house.instance,
        )
        return {path.name for path in folder.iterdir()}

    everything = {in_use.name, "oldest", "pinned", "previewed", "newest"}
    assert sweep(dry_run=True) == everything
    assert sweep(datasets=["alpha"]) == everything
    job = house.definitions.resolve_implicit_global_asset_job_def()
    run = house.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert sweep() == everything
    house.instance.delete_run(run.run_id)
    assert sweep() == everything - {"oldest"}
    assert any(in_use.iterdir())
