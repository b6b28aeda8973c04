"""Start the app: `python start.py`, or `disentanglement-lab` once it is installed. No make is needed."""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECTOR = "22"  # pixels of type for the back row


def main(arguments: list[str] | None = None) -> int:
    """Run the app until Ctrl-C or SIGTERM, which end the server too; return the exit code."""
    parser = argparse.ArgumentParser(prog="disentanglement-lab", description="Start the Disentanglement Lab.")
    parser.add_argument("what", nargs="?", choices=["app", "talk"], default="app", help="talk: in a projector's type")
    parser.add_argument("--port", type=int, default=8501, help="default 8501")
    parser.add_argument(
        "--runs", metavar="DIR", type=Path, help="where runs are kept (default: DVAE_RUNS, or runs/ here)"
    )
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("streamlit") is None:
        print("The app needs Streamlit: pip install 'dvae-core[app]'", file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "streamlit", "run", str(HERE / "app.py"), f"--server.port={options.port}"]
    if options.what == "talk":
        command.append(f"--theme.baseFontSize={PROJECTOR}")
    runs = {} if options.runs is None else {"DVAE_RUNS": str(options.runs.resolve())}
    print(f"Disentanglement Lab: http://127.0.0.1:{options.port}   (Ctrl-C stops it)", flush=True)
    server = subprocess.Popen(command, env={**os.environ, **runs})
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())  # as a container or a service manager stops it
    try:
        return server.wait()
    except KeyboardInterrupt:  # Streamlit has received it as well
        server.wait()
        return 0


if __name__ == "__main__":
    sys.exit(main())
