"""The archive as a folder of archive files, with a list of the newest articles of each source (docs/folder.md).

`writing.catch_up` writes what has come to the database since the folder was written last; `git.Git.commit` commits it.
"""
