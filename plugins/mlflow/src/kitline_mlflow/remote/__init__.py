"""Artifact folders that are not on this disk: listed, and their files streamed, a module per kind.

`opener` chooses the module, `resuming` is what all streams have in common.
"""
