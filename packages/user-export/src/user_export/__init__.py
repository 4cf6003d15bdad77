"""Export the users of an API to a file of JSON lines: joins the four services, and holds no mechanism of its own."""

from user_export.checkpoint import Checkpoint, NotAnExport, find_checkpoint
from user_export.export import Exporter, ExportFailed, Summary

__all__ = [
    "Checkpoint",
    "ExportFailed",
    "Exporter",
    "NotAnExport",
    "Summary",
    "find_checkpoint",
]
