"""Users of fastws: visitors, portfolios, slow readers, logins, chatters,
spectators, pilots and those who watch them, operators, hung tabs, returning crowds.

fastws serve --demo           (with FASTWS_PROFILE=loadtest)
locust -f loadtest/locustfile.py --host http://127.0.0.1:3004
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import gevent
from locust import HttpUser, between, constant, task

from fastws.domain.skyduel.game import Controls
from loadtest.socket import LoadSocket

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SECRET = Path(os.environ.get("FASTWS_DATA_DIR", ".fastws"), "dev_secret")


class Visitor(HttpUser):
    """Anonymous, follows the whole list and now and then asks for one token."""

    weight = 10
    wait_time = between(1, 5)

    def on_start(self) -> None:
        self.socket = LoadSocket(self.environment, self.host, "token-data")
        answer = self.socket.ask("get_all_tokens")
        self.symbols = [token["address"] for token in answer["data"]] if answer else []

    @task(5)
    def look_at_one(self) -> None:
        self.socket.ask("get_token", symbol=random.choice(self.symbols))

    @task(3)
    def follow_fifty(self) -> None:
        chosen = random.sample(self.symbols, 50)
        self.socket.ask("subscribe_tokens", symbols=chosen)
        gevent.sleep(5)
        self.socket.ask("unsubscribe_tokens", symbols=chosen)

    @task(1)
    def beat(self) -> None:
        self.socket.ask("heartbeat")

    def on_stop(self) -> None:
        self.socket.close()


class Portfolio(HttpUser):
    """Follows fifty tokens as a table, in binary or JSON, and changes its mind now and then."""

    weight = 10
    wait_time = between(5, 15)

    def on_start(self) -> None:
        self.socket = LoadSocket(self.environment, self.host, "token-data?automatic=false")
        answer = self.socket.ask("get_all_tokens")
        self.symbols = [token["address"] for token in answer["data"]] if answer else []
        self.format = random.choice(["binary", "binary", "json"])
        self.choose()

    @task
    def choose(self) -> None:
        chosen = random.sample(self.symbols, min(50, len(self.symbols)))
        self.socket.follow("public.market", self.format, chosen)

    @task
    def look_back(self) -> None:
        if self.symbols:
            symbol = random.choice(self.symbols)
            self.socket.ask("get_history", symbol=symbol, resolution=random.choice(["1s", "1m"]))

    def on_stop(self) -> None:
        self.socket.close()


class SlowReader(HttpUser):
    """Follows everything in binary and reads a message a second: skipped, never closed."""

    weight = 1
    wait_time = constant(20)

    def on_start(self) -> None:
        self.socket = LoadSocket(self.environment, self.host, "token-data?automatic=false")
        self.socket.follow("public.tokens", "binary")
        self.socket.read_slowly(1.0)

    @task
    def beat(self) -> None:
        self.socket.ask("heartbeat", timeout=60)

    def on_stop(self) -> None:
        self.socket.close()


class Login(HttpUser):
    """Whoever logs in through the development door and gets a token."""

    abstract = True
    endpoint = ""

    def on_start(self) -> None:
        self.wallet = "".join(random.choices(ALPHABET, k=43))
        self.client.post(
            "/api/auth/dev-login",
            json={"secret": SECRET.read_text().strip(), "wallet_address": self.wallet},
        )
        self.socket = LoadSocket(self.environment, self.host, self.endpoint, self.token())

    def token(self) -> str:
        return str(self.client.get("/api/auth/token").json()["token"])

    def on_stop(self) -> None:
        self.socket.close()


class LoggedIn(Login):
    """Logs in and watches the system status."""

    endpoint = "monitor"
    weight = 5
    wait_time = between(2, 8)

    @task(5)
    def status(self) -> None:
        self.socket.ask("get_system_status")

    @task(2)
    def settings(self) -> None:
        self.socket.ask("get_system_settings")

    @task(1)
    def renew(self) -> None:
        self.socket.ask("refresh", token=self.token())


class Chatter(Login):
    """Joins the room of a contest, says something now and then, looks at the leaderboard."""

    endpoint = "contest"
    weight = 5
    wait_time = between(4, 9)

    def on_start(self) -> None:
        super().on_start()
        answer = self.socket.ask("get_all_contests")
        contests = answer["data"] if answer else []
        self.contest = contests[0]["id"] if contests else "1"
        self.socket.ask("join_contest_room", contestId=self.contest)
        self.said = 0

    @task(5)
    def say(self) -> None:
        self.said += 1
        said = {"text": f"message {self.said}", "clientId": f"{self.wallet}-{self.said}"}
        self.socket.ask("send_chat_message", contestId=self.contest, **said)

    @task(1)
    def look(self) -> None:
        self.socket.ask("get_leaderboard", contestId=self.contest)

    @task(1)
    def look_back(self) -> None:
        self.socket.ask("get_chat_history", contestId=self.contest, limit=50)


class Spectator(HttpUser):
    """Watches a contest without a login."""

    weight = 5
    wait_time = between(5, 15)

    def on_start(self) -> None:
        path = "contest?endpoint=public.contests&channel=public.contest.1"
        self.socket = LoadSocket(self.environment, self.host, path)

    @task
    def beat(self) -> None:
        self.socket.ask("heartbeat")

    def on_stop(self) -> None:
        self.socket.close()


class Pilot(Login):
    """Plays SkyDuel: thirty inputs a second, and how long until the state names one of them."""

    endpoint = "skyduel"
    weight = 3
    wait_time = constant(0)

    def on_start(self) -> None:
        super().on_start()
        self.seq = 0
        self.join()

    def join(self) -> None:
        answer = self.socket.ask("quick_match")
        if answer is None or "match" not in answer:
            gevent.sleep(5)
            return
        self.match, self.player = answer["match"]["match_id"], answer["player"]
        self.socket.follow(f"match.{self.match}", "binary")

    @task
    def fly(self) -> None:
        begun, asked, live = time.perf_counter(), self.seq + 1, self.state() == 2
        turn = random.randrange(-127, 128)
        while self.acknowledged() < asked and time.perf_counter() - begun < 5:
            self.seq += 1
            self.socket.steer(self.seq, Controls(100, turn, self.seq % 8 == 0))
            gevent.sleep(1 / 30)
        if self.state() == 3:
            self.socket.ask("unsubscribe", channel=f"match.{self.match}")
            self.join()
        elif live:  # before that nobody names inputs
            late = None if self.acknowledged() >= asked else RuntimeError("not acknowledged")
            self.socket.report("input", begun, 12, late)

    def acknowledged(self) -> int:
        row = self.rows().get(f"p{self.player}")
        return int(row["seq"][0]) if row else 0

    def state(self) -> int:
        row = self.rows().get("game")
        return int(row["state"]) if row else 0

    def rows(self) -> dict[str, dict[str, Any]]:
        copy = self.socket.followed[f"match.{self.match}"]
        return copy.by_key()


class DuelSpectator(HttpUser):
    """Watches a match of SkyDuel without a login, then another."""

    weight = 5
    wait_time = between(10, 20)

    def on_start(self) -> None:
        path = "skyduel?endpoint=public.matches"
        self.socket = LoadSocket(self.environment, self.host, path)
        self.socket.follow("public.matches", "json")
        self.channel = ""

    @task
    def watch(self) -> None:
        if self.channel:
            self.socket.ask("unsubscribe", channel=self.channel)
        matches = list(self.socket.followed["public.matches"].by_key())
        self.channel = f"match.{random.choice(matches)}" if matches else ""
        if self.channel:
            self.socket.follow(self.channel, "binary")

    def on_stop(self) -> None:
        self.socket.close()


class Operator(Login):
    """Watches circuit breakers and asks about one."""

    endpoint = "circuit-breaker"
    weight = 1
    wait_time = between(3, 10)

    @task
    def look(self) -> None:
        self.socket.ask("subscribe:service", service="postgresql")


class HungTab(HttpUser):
    """Connects, reads nothing more, stays: must cost the server a bounded few kilobytes."""

    weight = 1
    wait_time = constant(30)

    def on_start(self) -> None:
        self.socket = LoadSocket(self.environment, self.host, "token-data")
        self.socket.stop_reading()

    @task
    def hang(self) -> None:
        """Nothing: that is the point."""

    def on_stop(self) -> None:
        self.socket.close()


class ReturningCrowd(HttpUser):
    """Drops and comes back at once, again and again: a reconnect storm."""

    weight = 1
    wait_time = between(0, 2)

    @task
    def come_and_go(self) -> None:
        socket = LoadSocket(self.environment, self.host, "token-data")
        socket.ask("ping")
        socket.close()
