"""The one package that talks to a Docker Engine (or Podman's Docker API) through the Docker SDK.

`exec` with a time limit, signals, process titles, logs, throw-away containers for checks, and events. What comes back is masked.
Importing `engine` imports the SDK, which takes as long as everything else together: do it where a container is configured.
"""
