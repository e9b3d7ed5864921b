-- Dagster's storage beside the registry; run once, when the volume is made.
CREATE DATABASE dagster;
