"""Consul: one module a type of resource, behind one target."""

from gitops_agent.targets.consul.target import Consul

TARGET = Consul
