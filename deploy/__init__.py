"""How the platform is laid out: `local/` and `production/` hold settings files, `cluster` tries the latter on one machine."""
