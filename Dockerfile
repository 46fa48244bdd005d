# The gateway with all tiers, in an image that runs as nobody in particular. docs/guides/container.md says how it is used.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# What was downloaded and compiled stays in the caches of the builder, and out of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p mosaic-gateway --features federated && \
    install -D target/release/mosaic /out/usr/local/bin/mosaic && \
    install -d -m 0700 /out/var/lib/mosaic

FROM debian:bookworm-slim
# Model servers, databases and caches that are reached over TLS are checked by the system's authorities.
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 7420 --user-group --no-create-home --home-dir /var/lib/mosaic --shell /usr/sbin/nologin mosaic
COPY --from=build --chown=root:root /out/usr/local/bin/mosaic /usr/local/bin/mosaic
COPY --from=build --chown=7420:7420 /out/var/lib/mosaic /var/lib/mosaic
# By number, so that an orchestrator can see that it is not root.
USER 7420:7420
# The config (mosaic.config.json), the first admin's token and the data are here.
WORKDIR /var/lib/mosaic
VOLUME /var/lib/mosaic
# In a container, its own loopback is nobody else's: whoever publishes the port says to whom.
ENV MOSAIC_LISTEN=0.0.0.0:7420
EXPOSE 7420
STOPSIGNAL SIGTERM
# A first start, and one that brings the data up to date, may take its time.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["mosaic", "ready"]
ENTRYPOINT ["mosaic"]
CMD ["serve"]
