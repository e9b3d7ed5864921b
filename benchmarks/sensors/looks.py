"""Looks at sources on the loopback: datasets a second by feed, and by conditional request spread over hosts.

python -m benchmarks.sensors.looks --datasets 400
"""

import argparse
import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dissco_platform.http import HttpClient, Validators
from dissco_platform.sensors.looking import Held, Pace, look_round
from dissco_platform.store import DatasetStore

HOSTS = 40


def main() -> None:
    """Run and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=400)
    count = parser.parse_args().datasets
    feed: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = feed[0].encode() if "rss.do" in self.path else b""
            self.send_response(200 if body else 304)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)  # every 127.0.0.x is this machine: one name for each host
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    items = "".join(
        f"<item><title>D - Version 1.1</title><ipt:dwca>http://x/archive.do?r=d{n}</ipt:dwca></item>"
        for n in range(count)
    )
    feed.append(f'<rss xmlns:ipt="http://ipt.gbif.org/"><channel>{items}</channel></rss>')
    figures: dict[str, float] = {"datasets": count, "hosts": HOSTS}
    with tempfile.TemporaryDirectory() as folder:
        store = DatasetStore(Path(folder))
        for name, path, version in (
            ("by_feed", "archive.do?r=d{n}", "1.1"),
            ("by_conditional_request", "d{n}.zip", None),
        ):
            due = [
                Held(
                    f"d{n}",
                    f"http://127.0.0.{n % HOSTS + 1}:{port}/{path.format(n=n)}",
                    n,
                    "0" * 64,
                    Validators('"e"', None),
                    version,
                )
                for n in range(count)
            ]
            began = time.perf_counter()
            looks = look_round(HttpClient(), store, due, Pace(pause=0.0, seconds=300))
            assert len(looks) == count and not any(look.changed for look in looks), looks[:3]
            figures[f"{name}_per_second"] = round(count / (time.perf_counter() - began), 1)
    server.shutdown()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
