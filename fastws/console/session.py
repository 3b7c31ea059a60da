"""A session at the console from the first line to the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from rich.console import Console

from fastws.client import Client, ClientError, Closed, HandshakeRefused, Unreachable
from fastws.console.access import find_token, how_to_get_one
from fastws.console.commands import Commands, read_message
from fastws.console.options import Options
from fastws.console.prompt import Lines, NamesCompleter, open_history, piped_lines, typed_lines
from fastws.console.screen import Screen
from fastws.console.suite import STEPS, run_suite

__all__ = ["run"]


async def run(options: Options, *, test: bool = False, console: Console | None = None) -> int:
    """Talk until the user leaves, or run the five steps; the process's exit code."""
    screen = Screen(console or Console(highlight=False, markup=False), options.verbose)
    screen.note(f"URL    {options.url}", "bold")
    screen.note(f"token  {how_to_get_one(options)}")
    token = await find_token(options, screen.note)
    if test:
        client = Client(options.url, token=token, via=options.via, on_frame=lambda frame: None)
        try:
            good = await run_suite(client, options.endpoint, options.channel, screen.result)
        finally:
            await client.close()
        return 0 if good == len(STEPS) else 1
    return await _talk(options, token, screen)


async def _talk(options: Options, token: str | None, screen: Screen) -> int:
    over = asyncio.Event()

    def lost(closed: Closed, wait: float | None) -> None:
        if wait is not None:
            screen.problem(f"{closed}; again in {wait:.1f} s")
        elif closed.action != "done":
            screen.problem(f"{closed}; {_ADVICE[closed.action]}")
            over.set()

    async def another() -> str:
        found = await find_token(options, screen.note)
        if found is None or found == client.token:
            raise Unreachable("no other token can be had")
        return found

    client = Client(
        options.url,
        token=token,
        via=options.via,
        new_token=another,
        reconnect=True,
        on_frame=screen.frame,
        on_message=screen.message,
        on_loss=lost,
    )
    try:
        await client.connect()
        if options.message:
            text = read_message(options.message)
            screen.sent(text)
            await client.send_text(text)
        await _obey_all(Commands(client, screen), _lines(options, client), over)
        if client.is_open:  # what was asked last is answered before this is
            with contextlib.suppress(ClientError, TimeoutError):
                await client.request("ping", seconds=2.0)
    except (ClientError, ValueError) as error:
        screen.problem(_explain(error, options))
        return 1
    finally:
        await client.close()
    return 1 if over.is_set() else 0


async def _obey_all(commands: Commands, lines: Lines, over: asyncio.Event) -> None:
    """Lines until there are no more, one says to leave, or the connection is over."""

    async def obey() -> None:
        async for line in lines:
            if not await commands.obey(line):
                return

    tasks = [asyncio.create_task(obey()), asyncio.create_task(over.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()


def _lines(options: Options, client: Client) -> Lines:
    if not sys.stdin.isatty():
        return piped_lines()
    wallet = ((client.established or {}).get("user") or {}).get("wallet_address", "")
    completer = NamesCompleter(
        options.endpoint, lambda: [name for name, _ in client.places], str(wallet)
    )
    return typed_lines(f"{options.endpoint}> ", open_history(options.history), completer)


_ADVICE = {
    "done": "the conversation is over",
    "reconnect": "connect again",
    "reconnect_later": "connect again later",
    "fall_back": "use the older URL if there is one",
    "new_token": "get a new token",
    "stop": "connecting again would not help",
}


def _explain(error: Exception, options: Options) -> str:
    if isinstance(error, Closed):
        text = error.error.get("message") if error.error else error.reason
        if error.action == "new_token":
            how = "the token was not accepted" if options.token else "it needs a token"
            return f"{error}: {how}; get one with: {how_to_get_one(options)}, then --auth TOKEN"
        return f"{error}: {text}; {_ADVICE[error.action]}"
    if isinstance(error, HandshakeRefused) and error.status == 404:
        return f"{error}: there is no endpoint {options.endpoint}"
    if isinstance(error, Unreachable):
        return f"{error}; is the server running? 'make serve' starts one"
    return str(error)
