# The order system: one image for the services, the workers, Flower and the metrics; docker-compose.yml says what each of them runs.
FROM python:3.12.12-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
# First what changes seldom. pip 25.1 is the first that knows --group.
COPY pyproject.toml constraints.txt ./
RUN pip install -c constraints.txt 'pip>=25.1' && pip install -c constraints.txt --group system
COPY README.md ./
COPY amends amends
COPY amends_commands amends_commands
COPY amends_pytest amends_pytest
RUN pip install -c constraints.txt .

FROM python:3.12.12-slim-bookworm

# A new volume on /data takes over its owner.
RUN useradd --uid 10001 --create-home amends && install -d -o amends -g amends /data
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY celeryconfig.py flowerconfig.py ./
COPY tasks tasks
COPY sagas sagas
COPY services services
USER amends
CMD ["celery", "-A", "tasks", "worker", "--loglevel=INFO"]
