"""Load: the measurement of latelier-server, with the model on replicas.

    python benchmarks/load.py --replicas 1 --clients 64 --seconds 300

It needs a checkout, for `plugins/latelier-server/benchmarks/load.py`: the same clients, requests
and engine alone. With one replica the ratio says what the way through Ray costs; each replica has
its share of this machine's CPUs. The memory is that of the server, without the replicas.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

OF_SERVER = Path(__file__).parents[2] / "latelier-server/benchmarks/load.py"


def import_load() -> ModuleType:
    """Return the module of the measurement."""
    spec = importlib.util.spec_from_file_location("server_load", OF_SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Measure a server with replicas against the engine alone."""
    load = import_load()
    parser = load.make_parser()
    parser.add_argument("--replicas", type=int, default=1)
    asked = parser.parse_args()
    load.compare(asked, ["ray", "serve", "--replicas", str(asked.replicas)])


if __name__ == "__main__":
    main()
