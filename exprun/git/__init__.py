"""The Git repository: snapshots as trees, experiment commits, refs and names, ignore rules.

Reading and writing loose objects, refs and the index is done here in plain Python; pygit2, heavy to
import, is loaded only for packed objects, ignore rules, attributes and revisions, and the git
command only for the reader's configuration and for filters that are programs.
"""
