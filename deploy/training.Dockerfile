# Trainings on NVIDIA GPUs: docker build --file deploy/training.Dockerfile --tag hydrascope-training .
# On CPUs: the same with --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
FROM python:3.11.15-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu130
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# torch first and from its own index: the layer is large and changes rarely.
COPY constraints.txt ./
RUN python -m venv /opt/hydrascope && \
    /opt/hydrascope/bin/pip install --index-url "${TORCH_INDEX}" --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY conf ./conf
COPY src ./src
RUN /opt/hydrascope/bin/pip install --constraint constraints.txt '.[train,sweep,ray,slurm,timescale]'

FROM python:3.11.15-slim-bookworm
ENV PATH=/opt/hydrascope/bin:$PATH PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 \
    MPLCONFIGDIR=/tmp/matplotlib NUMBA_CACHE_DIR=/tmp/numba
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin hydrascope
COPY --from=build /opt/hydrascope /opt/hydrascope
# Runs, stores of windows and mlruns.db are written here: a volume that all nodes share.
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["hydrascope", "train"]
