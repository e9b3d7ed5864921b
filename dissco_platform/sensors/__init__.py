"""What is out of date, and who asks for it to be made.

`reconcile` is the rule; `standing` reads all datasets, `requesting` chooses runs, `reconciler` is the sensor. `looking` looks at
sources, `upstream` is its sensor. `weekly`, `incidents`, `jobs`, `retention`, `overview` are what their names say.
The page is docs/automation.md.
"""
