# syntax=docker/dockerfile:1
# An image with the gateway alone:
#   docker build -t timestream-gateway .
#   docker run -v ./tenants.yaml:/etc/timestream-gateway/tenants.yaml:ro -p 9201:9201 timestream-gateway
# docs/operations.md says what a configuration for a container needs.

FROM swift:6.2-bookworm AS build
# Debian keeps one version a release and mends it in place: a pinned one would vanish with its next security fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libcrypt-dev libcurl4-openssl-dev libsnappy-dev libsqlite3-dev libssl-dev libyaml-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# The packages first: they change less often than the sources.
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
# The manifest names the tests' folders, so they must be there; nothing of them is built.
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --product timestream-gateway \
    && install -D -s .build/release/timestream-gateway /out/timestream-gateway

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Timestream Gateway" \
    org.opencontainers.image.description="A multi-tenant gateway between Prometheus servers and Amazon Timestream"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates libcrypt1 libcurl4 libsnappy1v5 libsqlite3-0 libssl3 libstdc++6 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 9201 gateway \
    && useradd --uid 9201 --gid gateway --no-create-home --home-dir /var/lib/timestream-gateway \
        --shell /usr/sbin/nologin gateway \
    && install -d -o gateway -g gateway -m 0750 /var/lib/timestream-gateway \
    && install -d /etc/timestream-gateway
COPY --from=build /out/timestream-gateway /usr/local/bin/timestream-gateway
# As numbers, so that Kubernetes' runAsNonRoot can tell.
USER 9201:9201
WORKDIR /var/lib/timestream-gateway
VOLUME /var/lib/timestream-gateway
# Data; the admin listener; the local engine.
EXPOSE 9201 9202 9203
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["timestream-gateway", "health"]
ENTRYPOINT ["timestream-gateway"]
CMD ["serve", "--config", "/etc/timestream-gateway/tenants.yaml"]
