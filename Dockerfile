# One image for every role: `docker run swapstats run`, `... aggregate`, `... serve`.
# Build: docker build --tag swapstats .

FROM python:3.11.13-slim-bookworm AS build
# "generic" makes kernels that run on any processor of the platform; an empty value makes them for
# the one that builds, faster and only for machines like it.
ARG KERNEL_CPU=generic
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 NUMBA_CPU_NAME=${KERNEL_CPU} \
    XDG_CACHE_HOME=/opt/swapstats/cache
WORKDIR /build
RUN python -m venv /opt/swapstats/venv
ENV PATH=/opt/swapstats/venv/bin:$PATH
COPY deploy/image/requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-deps --no-build-isolation . \
    && python -m swapstats.warm \
    && pip uninstall --yes setuptools pip

FROM python:3.11.13-slim-bookworm
ARG KERNEL_CPU=generic
ENV PATH=/opt/swapstats/venv/bin:$PATH NUMBA_CPU_NAME=${KERNEL_CPU} \
    XDG_CACHE_HOME=/opt/swapstats/cache PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --home-dir /data --no-create-home swapstats \
    && install -d -o swapstats -g swapstats /data
COPY --from=build --chown=swapstats:swapstats /opt/swapstats /opt/swapstats
USER 10001
WORKDIR /data
VOLUME /data
# Each role answers here: the API by itself, the others by their metrics address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(os.environ.get('HEALTH_URL', 'http://127.0.0.1:8080/healthz'), timeout=2)"]
ENTRYPOINT ["swapstats"]
CMD ["run"]
