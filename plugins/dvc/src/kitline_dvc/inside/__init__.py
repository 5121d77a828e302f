"""DVC's inside: all that kitline asks of DVC beyond its documentation, in this package alone.

Everything that opens something of DVC passes `version.check_version` first.
"""
