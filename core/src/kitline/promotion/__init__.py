"""Promotion: stages such as `production`, and the records of how they moved.

The records are the truth, and the tag of a stage is a cache of them. Everything here is a function
of values; reading and writing them is the business of `operations`.
"""
