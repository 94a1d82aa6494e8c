# One image for every program: `yieldline service`, `yieldline ui`, `yieldline agent`.

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/yieldline
# The dependencies first: they change less often than the project. Only what the lock names by hash.
COPY requirements/all.txt requirements/dev.txt requirements/
RUN /opt/yieldline/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
      -r requirements/all.txt
# The build tool, from the same kind of lock, outside of what is shipped.
RUN awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' \
      requirements/dev.txt > build.txt \
 && pip install --no-cache-dir --require-hashes --only-binary :all: -r build.txt
COPY pyproject.toml README.md LICENSE rules.toml ./
COPY broker broker
COPY edge_agent edge_agent
COPY service service
COPY ui ui
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/yieldline/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:3.12-slim-bookworm
# A number, so that Kubernetes can see that it is not root.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin yieldline \
 && install -d -o 10001 -g 10001 /data
COPY --from=build /opt/yieldline /opt/yieldline
# No bytecode: the file system is read-only. No buffer: the log shows what happened last.
ENV PATH=/opt/yieldline/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["yieldline"]
CMD ["ui"]
# Of the web app; a container of another program switches it off.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
