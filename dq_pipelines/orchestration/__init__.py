"""When something runs: jobs, schedules and sensors. What runs belongs in `pipeline`."""
