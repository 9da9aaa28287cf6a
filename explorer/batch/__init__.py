"""Folder jobs: one computation on many photos, cut into chunks, that resumes where it was stopped.

A job is an importable function and plain parameters; the function makes a `job.FolderJob`. The
photos are listed in a fixed order (`photos`) and cut into chunks (`chunks`), and each chunk's
result is one file of the folder OUT (`store`). `run` skips the chunks that are there, has the
others computed here or by a Dask cluster (`cluster`, `worker`), and merges them. Nothing in a
result depends on who computed a chunk, when, or how often the job was stopped.
"""
