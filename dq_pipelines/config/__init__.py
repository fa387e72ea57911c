"""Reading configuration: files, scalars, the environment, the strict model. What a project is belongs above."""
