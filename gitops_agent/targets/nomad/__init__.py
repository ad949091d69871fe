"""Nomad: jobs in HCL2 and JSON, parsed and planned by the server."""

from gitops_agent.targets.nomad.target import Nomad

TARGET = Nomad
