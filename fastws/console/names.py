"""What can be completed and tried: endpoints, their channels and messages (wire.md part A)."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["COMMON", "ENDPOINTS", "Names", "endpoint_name"]


class Names(Struct, frozen=True):
    """The names of an endpoint. ``<wallet>`` stands for the wallet that is logged in."""

    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


COMMON: Final = ("heartbeat", "ping", "subscribe", "unsubscribe", "limits", "pause", "resume")
"""Messages every endpoint answers."""

ENDPOINTS: Final[dict[str, Names]] = {
    "monitor": Names(
        (
            "system.status", "system.maintenance", "public.background_scene", "system.settings",
            "services", "system.errors",
        ),
        (
            "get_system_status", "get_maintenance_status", "get_system_settings",
            "get_service_status", "get_all_services", "get_recent_errors",
        ),
    ),
    "token-data": Names(
        ("public.tokens", "public.market", "token.SOL"),
        (
            "subscribe_tokens", "unsubscribe_tokens", "get_token", "get_all_tokens",
            "token_update",
        ),
    ),
    "system-settings": Names(
        ("setting.background_scene", "setting.maintenance_mode", "public.category.public"),
        (
            "get_all_settings", "get_setting", "get_category_settings", "subscribe_setting",
            "subscribe_category", "unsubscribe_setting", "unsubscribe_category",
            "update_setting",
        ),
    ),
    "test": Names(("test",), ("echo",)),
    "contest": Names(
        ("public.contests", "user.<wallet>", "admin.contests"),
        (
            "get_all_contests", "get_contest_state", "get_leaderboard", "get_participant_status",
            "join_contest_room", "leave_contest_room", "send_chat_message", "get_chat_history",
        ),
    ),
    "circuit-breaker": Names(
        ("services", "layer.data", "layer.contest", "layer.wallet", "layer.infrastructure"),
        ("subscribe:services", "subscribe:layer", "subscribe:service", "service:health_check"),
    ),
    "notifications": Names(
        ("user.notifications.<wallet>", "system.announcements"),
        ("get_notifications", "get_unread", "mark_read", "mark_all_read"),
    ),
    "skyduel": Names(
        ("public.matches", "admin.matches"),
        (
            "list_matches", "create_match", "join_match", "quick_match", "ready", "leave_match",
            "spectate", "rematch", "input", "get_result",
        ),
    ),
    "wallet": Names(("wallet.<wallet>", "transactions.<wallet>"), ("request_balance",)),
    "portfolio": Names(("portfolio.<wallet>", "trades.<wallet>"), ("subscribe_portfolio",)),
    "analytics": Names((), ("track_event", "get_active_users", "get_server_stats")),
    "admin": Names(
        ("admin.audit",),
        (
            "get_connections", "trace", "stop_trace", "kick", "revoke_session", "ban", "unban",
            "set_role", "list_admins", "get_audit", "set_maintenance", "update_setting",
            "announce", "publish", "set_endpoint", "set_flag", "get_flags", "get_rollout", "drain",
        ),
    ),
}  # fmt: skip
"""By path. The first channel is what ``--test`` subscribes."""

_ALIASES: Final = {
    "circuit": "circuit-breaker",
    "settings": "system-settings",
    "user-notifications": "notifications",
}


def endpoint_name(text: str) -> str:
    """The path of an endpoint for what a user calls it."""
    name = text.strip("/").replace("_", "-")
    return _ALIASES.get(name, name)
