# The agent in a container, for amd64 and arm64:
#   docker build --tag gitops-agent:0.1.0 .
#   docker build --tag gitops-agent-checkers:0.1.0 --target checkers .    # with programs that check configuration, for CI
# Every base can be another one, a mirror's: --build-arg PYTHON=registry.example.org/python:3.13-slim-bookworm
ARG PYTHON=python:3.13-slim-bookworm
ARG DOCKER=docker:28.5-cli
ARG CONSUL=hashicorp/consul:1.19.2
ARG CONSUL_TEMPLATE=hashicorp/consul-template:0.42.1
ARG PROMETHEUS=prom/prometheus:v3.5.0
ARG LOKI=grafana/loki:3.4.6
ARG NGINX=nginx:1.28.0

FROM ${DOCKER} AS docker
FROM ${CONSUL} AS consul
FROM ${CONSUL_TEMPLATE} AS consul-template
FROM ${PROMETHEUS} AS prometheus
FROM ${LOKI} AS loki
FROM ${NGINX} AS nginx

FROM ${PYTHON} AS build
WORKDIR /src
COPY constraints-demo.txt ./
# Only what has the hashes of the lock file gets into wheels/, and nothing else is installed.
RUN pip wheel --quiet --require-hashes --wheel-dir wheels --requirement constraints-demo.txt
COPY pyproject.toml README.md LICENSE ./
COPY gitops_agent gitops_agent
COPY hooks hooks
COPY repo-template repo-template
COPY small-example small-example
COPY stack stack
RUN pip install --quiet --no-index --find-links wheels hatchling editables \
    && pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir wheels .
RUN python -m venv /opt/gitops-agent \
    && /opt/gitops-agent/bin/pip install --quiet --no-index --find-links wheels gitops-agent \
    && /opt/gitops-agent/bin/pip uninstall --quiet --yes pip

FROM ${PYTHON} AS agent
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends ca-certificates git gpg gpg-agent openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 8555 --home-dir /var/lib/gitops-agent --create-home gitops-agent
# Official images of Python come without bytecode: each start of each process would compile all that it imports.
RUN python -m compileall -q -j 0 -x 'site-packages|/tests?/' "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker
COPY --from=docker /usr/local/libexec/docker/cli-plugins/docker-compose /usr/local/libexec/docker/cli-plugins/docker-compose
COPY --from=build /opt/gitops-agent /opt/gitops-agent
ENV PATH=/opt/gitops-agent/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Docker's socket and files of other users need root: docs/how-to/install.md says when.
USER gitops-agent
WORKDIR /var/lib/gitops-agent
EXPOSE 8555
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8555/healthz', timeout=5)"]
# An init: programs that the agent started and lost are reaped. -s: also where `init: true` put another one before it.
ENTRYPOINT ["tini", "-s", "--", "gitops-agent"]
CMD ["serve", "--config", "/etc/gitops-agent/agent.toml"]

FROM agent AS checking
USER root
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends libpcre2-8-0 openssl zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /var/log/nginx
# Debian's own is too old for what a current configuration says, and lacks `stream`.
COPY --from=nginx /usr/sbin/nginx /usr/local/bin/nginx
COPY --from=nginx /etc/nginx/mime.types /etc/nginx/mime.types
COPY --from=prometheus /bin/promtool /usr/local/bin/promtool
COPY --from=consul /bin/consul /usr/local/bin/consul
COPY --from=consul-template /bin/consul-template /usr/local/bin/consul-template
COPY --from=loki /usr/bin/loki /usr/local/bin/loki
# Nobody reads or translates anything here, and each file costs each build a moment: see below.
RUN rm -rf /usr/share/doc /usr/share/man /usr/share/locale /usr/share/zoneinfo /usr/share/perl* /usr/lib/*/perl* /usr/lib/*/gconv \
        /usr/share/bash-completion /usr/share/terminfo /usr/lib/terminfo /var/lib/dpkg/info /var/cache/* \
        /usr/local/lib/python3*/site-packages /usr/local/lib/python3*/idlelib /usr/local/lib/python3*/ensurepip /usr/local/include \
    && mkdir -p /var/cache/nginx
# Python runs what is compiled, and the text of half the files is what only people read.
RUN lib="/opt/gitops-agent/lib /usr/local/lib/python3*" \
    && python -m compileall -q -j 0 -b -x '/tests?/' $lib \
    && find $lib -name '*.py' -delete \
    && find $lib -name __pycache__ -prune -exec rm -rf {} +

# Before each build Concourse looks at every file, and gives those of root's to the user that root is in the task's container: a
# second and more for this many. What is another user's stays as it is, and root in the container may read and run it all the same.
FROM scratch AS checkers
COPY --from=checking --chown=8555:8555 / /
ENV PATH=/opt/gitops-agent/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
# A task of Concourse, or a job of another CI, names its own command.
CMD ["gitops-agent", "check", "--programs"]

# What is built unless a target is named.
FROM agent
