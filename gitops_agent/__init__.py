"""gitops-agent: brings a self-hosted stack to the state that a git repository declares."""

__version__ = "0.1.0"
