"""An index of a folder: what a layer gives for each photo, kept by photo.

`job` is the folder job, `store` the files, `filling` how a view fills and uses one.
"""
