"""What Dagster's instance needs where many machines work together; `deploy/production/dagster.yaml` names it.

- `storage`: Dagster's PostgreSQL storage with connections that are kept, and a bound on them.
- `launcher`: Dagster's Celery launcher, which also notices that a worker is gone.
- `worker`: the Celery application that workers run.
- `sole`: at most one daemon for one instance.

What is run, and when, is Dagster's and `sensors/`' business. Nothing here is imported on one machine.
"""
