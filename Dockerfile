# The tool and its pipeline on a CPU or, with NVIDIA's container toolkit, on a GPU:
#   docker build --tag narrows .
#   docker run --volume ~/photos:/data:ro --volume "$PWD":/out --workdir /out narrows gallery --data /data
FROM python:3.11-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /narrows
COPY . .
RUN make .venv/installed && rm -rf /root/.cache
ENV PATH=/narrows/.venv/bin:$PATH
ENTRYPOINT ["narrows"]
CMD ["doctor"]
