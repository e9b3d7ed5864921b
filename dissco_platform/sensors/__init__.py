"""What is out of date, and who asks for it to be made: the reconciler; later the upstream sensor and the schedule."""
