# The app for a lab server or a Space: not root, torch for the CPU, shipped runs read-only, new runs in a volume.
# Under another name than localhost: -e STREAMLIT_SERVER_ALLOWED_HOSTS=lab.example.org
#   docker build -t disentanglement-lab . && docker run -p 7860:7860 -v lab-runs:/runs disentanglement-lab
FROM python:3.11-slim
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE constraints.txt app.py start.py ./
COPY .streamlit .streamlit
COPY dvae_core dvae_core
COPY pages pages
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu "torch==$(sed -n 's/^torch==//p' constraints.txt)" \
 && sed '/^\(torch\|triton\|cuda-\|nvidia-\)/d' constraints.txt > /tmp/constraints.txt \
 && pip install --no-cache-dir -c /tmp/constraints.txt ".[app,export]" \
 && rm -rf /src
RUN useradd --create-home --uid 1000 lab && mkdir /runs && chown lab /runs
USER 1000
WORKDIR /home/lab
ENV DVAE_RUNS=/runs STREAMLIT_SERVER_ADDRESS=0.0.0.0 STREAMLIT_SERVER_HEADLESS=true
VOLUME /runs
EXPOSE 7860
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/_stcore/health')"]
CMD ["disentanglement-lab", "--port", "7860"]
