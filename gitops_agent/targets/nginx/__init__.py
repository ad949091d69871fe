"""`nginx`: files that nginx reads, on this host or in a container.

Checked where they will be read, published, reloaded, and followed until no worker of the old generation takes connections any more.
"""

from gitops_agent.targets.nginx.target import NginxTarget

TARGET = NginxTarget
