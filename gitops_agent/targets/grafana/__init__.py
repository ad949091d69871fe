"""`grafana`: data sources, dashboards and whatever else Grafana is given by provisioning files."""

from gitops_agent.targets.grafana.target import GrafanaTarget

TARGET = GrafanaTarget
