"""What all targets share that are «a directory, a check, a reload»: publishing, the way back, knowing what was really loaded."""

from gitops_agent.file_target.settings import DirectorySettings, FileTargetSettings, Publish
from gitops_agent.file_target.target import FileTarget

__all__ = ["DirectorySettings", "FileTarget", "FileTargetSettings", "Publish"]
