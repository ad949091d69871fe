"""Certificates: issued and renewed in the run, or taken from somebody who provides them."""

from gitops_agent.targets.certificates.target import Certificates

TARGET = Certificates
