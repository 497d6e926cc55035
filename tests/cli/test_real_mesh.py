"""The life of the real mesh, as `viva up` runs it: real servers and models, data of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx

from tests.cli.real_callers import calling
from tests.cli.running_mesh import all_gone, environment, launched, until


async def test_the_real_mesh_comes_up_heals_and_leaves_nothing_behind(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    variables["VIVA_MESH_ADDRESS"] = f"localhost:{variables['VIVA_ENVOY_MESH_PORT']}"
    async with launched(variables) as mesh:
        # The models are prepared on the way: their folder is empty.
        await mesh.read_until("ready to talk", seconds=600)
        servers = await mesh.servers()
        assert {server["health"] for server in servers.values()} == {"SERVING"}
        assert all(servers[name]["model"] for name in ("asr", "tts", "llm", "embed"))

        async with httpx.AsyncClient() as client:
            edge = f"http://localhost:{variables['VIVA_ENVOY_EDGE_PORT']}"
            assert (await client.get(f"{edge}/healthz")).status_code == 200
            found = await client.get(f"{edge}/v1/questions", params={"page_size": 3})
        assert len(found.json()["results"]) == 3

        os.kill(servers["embed"]["pid"], signal.SIGKILL)

        async def back() -> bool:
            now = (await mesh.servers())["embed"]
            return bool(now["restarts"] == 1 and now["health"] == "SERVING")

        await until(back, seconds=120)
        code, output = await mesh.viva("embed", "the mesh has healed")
        assert code == 0, output

        async with calling(variables["VIVA_MESH_ADDRESS"], ("embed", "tts", "asr")) as tally:
            code, output = await mesh.viva("restart", "embed", "tts", "asr")
        assert code == 0, output
        assert tally.lost == []
        assert set(tally.answered) == {"embed", "tts", "asr"}
        after = await mesh.servers()
        assert all(after[name]["pid"] != servers[name]["pid"] for name in tally.answered)

        family = mesh.children()
        mesh.process.kill()
        await mesh.end()

        async def gone() -> bool:
            return await all_gone(family)

        await until(gone)
