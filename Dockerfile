# Two images: docker build --target api . and docker build --target worker .
FROM python:3.12-slim AS base
ENV PATH=/opt/labelaudit/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    LABELAUDIT_DATA_DIR=/data LABELAUDIT_LOG_FORMAT=json
RUN useradd --system --uid 10001 --create-home labelaudit \
    && install -d -o labelaudit -g labelaudit -m 0700 /data
VOLUME /data

FROM base AS build-api
COPY . /source
RUN /source/docker/install.sh api /opt/labelaudit

FROM base AS build-worker
COPY . /source
RUN /source/docker/install.sh worker /opt/labelaudit

FROM base AS api
COPY --from=build-api /opt/labelaudit /opt/labelaudit
USER labelaudit
EXPOSE 8000
ENTRYPOINT ["labelaudit"]
CMD ["api", "--host", "0.0.0.0", "--port", "8000"]

# The CUDA libraries come with torch's wheels; the host gives the driver.
FROM base AS worker
COPY --from=build-worker /opt/labelaudit /opt/labelaudit
USER labelaudit
ENTRYPOINT ["labelaudit"]
CMD ["worker", "--queue", "cpu"]
