"""`python -m gateway.app.worker FD`: one worker of a node, started by the supervisor and held by the leash at FD.

Serves like a single process, but at the shared listening socket, and answers operators through the supervisor. The
rule: it ends in order on SIGTERM, and also when the supervisor is gone: nobody would replace it or ask for its metrics.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from typing import Final, NoReturn

import structlog
import uvloop

from gateway.app.accepting import LoadBoard, Shared
from gateway.app.gateway import Surroundings
from gateway.app.handover import Handover, compiled_of, from_message
from gateway.app.leash import Leash, Message
from gateway.app.listeners import IDLE_GRACE_S, Places
from gateway.app.log_setup import set_up_log
from gateway.app.running import Running, note_rejection, running, take, words_of
from gateway.app.settled import settle
from gateway.config.compile import Compiled
from gateway.errors import ConfigFault, GatewayError

log = structlog.get_logger(__name__)
FAILED: Final = 1


async def work(leash: Leash) -> int:
    """Serve until told to stop; returns the exit code."""
    stop = _stop_signal()
    try:
        message = await leash.hear()
        if message is None:
            return FAILED
        handover = Handover.from_message(message)
        compiled = compiled_of(handover.loaded)
        set_up_log(compiled, handover.node)
        surroundings = Surroundings(handover.directory, node=handover.node)
        shared = Shared(socket.socket(fileno=handover.listener), LoadBoard(handover.board), handover.slot)
        places = Places(shared, handover.admin, IDLE_GRACE_S)
        async with running(compiled, surroundings, places) as run:
            settle()
            await leash.say({"says": "ready"})
            obeying = asyncio.create_task(_obey(leash, run, stop))
            await stop.wait()
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)
    except (GatewayError, OSError, ValueError) as fault:
        faults = fault.faults if isinstance(fault, ConfigFault) else [("", str(fault))]
        await leash.say({"says": "failed", "kind": type(fault).__name__, "faults": [list(one) for one in faults]})
        return FAILED
    finally:
        await leash.close()
    return 0


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM. What a terminal sends to the whole group is the supervisor's to answer."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        loop.add_signal_handler(number, lambda: None)
    return stop


async def _obey(leash: Leash, run: Running, stop: asyncio.Event) -> None:
    """Do what the supervisor says, in order, until it is gone."""
    prepared: Compiled | None = None
    while (message := await leash.hear()) is not None:
        match message["do"]:
            case "prepare":
                prepared = await _prepare(leash, message)
            case "take":
                await leash.say({"says": "taken" if await _take(run, prepared) else "kept"})
            case "reject":
                await note_rejection(run.gateway, message["reason"], message["keys"], time.time)
                await leash.say({"says": "noted"})
    stop.set()


async def _prepare(leash: Leash, message: Message) -> Compiled | None:
    """Compile a configuration without putting it in force."""
    try:
        found = await asyncio.to_thread(lambda: compiled_of(from_message(message["configuration"])))
    except (GatewayError, ValueError) as fault:
        reason, keys = words_of(fault)
        await leash.say({"says": "refused", "reason": reason, "keys": keys})
        return None
    await leash.say({"says": "prepared"})
    return found


async def _take(run: Running, prepared: Compiled | None) -> bool:
    if prepared is None:
        return False
    try:
        await take(run.gateway, prepared, time.time)
    except (GatewayError, ValueError) as fault:
        await note_rejection(run.gateway, *words_of(fault), time.time)
        return False
    return True


async def _main(end: socket.socket) -> int:
    return await work(await Leash.over(end))


def main() -> NoReturn:
    """Work at the leash that the one argument names, and end the process."""
    sys.exit(uvloop.run(_main(socket.socket(fileno=int(sys.argv[1])))))


if __name__ == "__main__":
    main()
