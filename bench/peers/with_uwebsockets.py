"""uWebSockets through ``socketify``: a topic for all, or one for each token.

It publishes from a timer of its own loop, not inside a message handler: there each publication
leaves in a write of its own.
"""

from __future__ import annotations

from socketify import App, OpCode

from bench.peers.ticking import Work, rows_of


def main() -> None:
    work = Work()
    app = App()

    def upgrade(res, req, context):  # type: ignore[no-untyped-def]
        key = req.get_header("sec-websocket-key")
        protocol = req.get_header("sec-websocket-protocol")
        extensions = req.get_header("sec-websocket-extensions")
        res.upgrade(key, protocol, extensions, context, int(req.get_query("i") or 0))

    def opened(ws):  # type: ignore[no-untyped-def]
        if work.kind == "same":
            ws.subscribe("all")
            return
        for token in rows_of(ws.get_user_data(), work.rows):
            ws.subscribe(f"t{token}")

    def tick() -> None:
        if work.kind == "same":
            app.publish("all", work.message(), OpCode.TEXT)
            return
        for token, text in work.changed():
            app.publish(f"t{token}", text, OpCode.TEXT)

    app.ws("/*", {"upgrade": upgrade, "open": opened, "idle_timeout": 0, "compression": 0})

    def due(_):  # type: ignore[no-untyped-def]
        if work.going:
            tick()

    # A timer of libuv itself: from an asyncio task each publication would be a write, too.
    every = round(1000 / work.rate)
    timer = app.loop.uv_loop.create_timer(every, every, due, None)
    app.listen(0, lambda config: print("port", config.port, flush=True))
    # Not `app.run()`: that polls this loop from asyncio without a pause, a whole core for nothing.
    app.loop.uv_loop.run()
    timer.stop()


main()
