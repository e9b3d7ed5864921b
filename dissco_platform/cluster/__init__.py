"""What Dagster's instance needs beyond Dagster: the `dagster.yaml` of `deploy/local` and `deploy/production` names it.

- `sqlite_storage`: Dagster's SQLite storage with connections that are kept; alone used on one machine.
- `storage`: Dagster's PostgreSQL storage with connections that are kept, and a bound on them.
- `launcher`: Dagster's Celery launcher, which also notices that a worker is gone.
- `worker`: the Celery application that workers run.
- `sole`: at most one daemon for one instance.

What is run, and when, is Dagster's and `sensors/`' business.
"""
