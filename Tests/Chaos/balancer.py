"""A TCP balancer in a thread: new connections go where it points at the moment, old ones stay where they are."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Balancer:
    def __init__(self, target: int):
        self.target, self.loop, self._started = target, asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Balancer":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        async def serve() -> None:
            server = await asyncio.start_server(self._pass, "127.0.0.1", 0, backlog=1_024)
            self.port = server.sockets[0].getsockname()[1]
            self._started.set()

        self.loop.run_until_complete(serve())
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))

    async def _pass(self, reader, writer) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))

    async def _copy(self, reader, writer) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
