"""Docker Compose: one project from rendered files, its containers told apart by more than Compose itself looks at."""

from gitops_agent.targets.compose.target import Compose

TARGET = Compose
