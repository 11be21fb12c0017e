# syntax=docker/dockerfile:1
# An image with the gateway alone:
#   docker build -t timestream-gateway .
#   docker run --read-only --cap-drop ALL -v ./gateway:/etc/timestream-gateway:ro -p 9201:9201 timestream-gateway
# docs/deploy.md says what a configuration for a container needs, and how to build the same image twice.
# scripts/check-image carries out what stands here without a container engine.

# Swift 6.2 is enough; 6.3 is what the tests run with.
ARG SWIFT=6.3

FROM swift:${SWIFT}-bookworm AS build
# Debian keeps one version a release and mends it in place: a pinned one would vanish with its next security fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libcrypt-dev libcurl4-openssl-dev libsnappy-dev libsqlite3-dev libssl-dev libyaml-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# The packages first: they change less often than the sources. With a Package.resolved, exactly those versions.
COPY Package.swift Package.resolved* ./
RUN swift package resolve
COPY Sources Sources
# The manifest names the tests' folders, so they must be there; nothing of them is built.
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --product timestream-gateway \
    && install -D -s .build/release/timestream-gateway /out/timestream-gateway

# Not from scratch: what scans images for known faults, and who rebuilds to mend them, go by Debian's packages.
FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates libcrypt1 libcurl4 libsnappy1v5 libsqlite3-0 libssl3 libstdc++6 libyaml-0-2 \
    && groupadd --gid 9201 gateway \
    && useradd --uid 9201 --gid gateway --no-log-init --no-create-home --home-dir /var/lib/timestream-gateway \
        --shell /usr/sbin/nologin gateway \
    && install -d -o gateway -g gateway -m 0750 /var/lib/timestream-gateway \
    && install -d /etc/timestream-gateway \
    # What tells when this ran, and nothing else.
    && rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log
COPY --from=build /out/timestream-gateway /usr/local/bin/timestream-gateway
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Timestream Gateway" \
    org.opencontainers.image.description="A multi-tenant gateway between Prometheus servers and Amazon Timestream" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
# As numbers, so that Kubernetes' runAsNonRoot can tell.
USER 9201:9201
WORKDIR /var/lib/timestream-gateway
# The one place that is written to, and by the local engine alone: the rest may be read-only.
VOLUME /var/lib/timestream-gateway
# Data; the admin listener; the local engine.
EXPOSE 9201 9202 9203
# Drains; a second one ends it at once.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["timestream-gateway", "health"]
ENTRYPOINT ["timestream-gateway"]
CMD ["serve", "--config", "/etc/timestream-gateway/tenants.yaml"]
