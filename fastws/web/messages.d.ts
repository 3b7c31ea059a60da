// What clients send to fastws, by endpoint.
// Made by docs/generate.py from the message structs; do not edit.

/** Codes of `error` messages. */
export type ErrorCode = "INVALID_ID" | "INVALID_MESSAGE" | "INVALID_PAYLOAD" | "INVALID_SINCE" | "INVALID_SUBSCRIPTION" | "INVALID_TOKEN" | "INVALID_UNSUBSCRIPTION" | "MESSAGE_PROCESSING_ERROR" | "NOT_SUBSCRIBED" | "RATE_LIMIT_EXCEEDED" | "SERVICE_UNAVAILABLE" | "SUBSCRIPTION_DENIED" | "TOO_MANY_CHANNELS" | "TOO_MANY_ROWS" | "UNAUTHORIZED" | "UNKNOWN_CHANNEL" | "UNKNOWN_FORMAT" | "UNKNOWN_MESSAGE_TYPE";

/** Codes with which the server closes. */
export type CloseCode = 1000 | 1001 | 1002 | 1003 | 1007 | 1008 | 1009 | 1011 | 1012 | 1013 | 4001 | 4003 | 4401 | 4403 | 4409 | 4503 | 4508 | 4529;

export interface Messages {
  "admin":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "get_connections"; id?: number | string; wallet?: string | null; address?: string | null; endpoint?: string | null; after?: string | null; limit?: number }
    | { type: "kick"; id?: number | string; connection?: string | null; wallet?: string | null }
    | { type: "revoke_session"; id?: number | string; connection?: string | null; wallet?: string | null }
    | { type: "trace"; id?: number | string; connection?: string | null; wallet?: string | null; seconds?: number }
    | { type: "stop_trace"; id?: number | string; trace: number };
  "admin":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "ban"; id?: number | string; wallet: string; reason: string }
    | { type: "unban"; id?: number | string; wallet: string }
    | { type: "set_role"; id?: number | string; wallet: string; role: "admin" | "superadmin" | "user" }
    | { type: "list_admins"; id?: number | string }
    | { type: "get_audit"; id?: number | string; admin?: string | null; action?: string | null; limit?: number };
  "admin":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "set_maintenance"; id?: number | string; enabled: boolean; message?: string }
    | { type: "update_setting"; id?: number | string; key: string; value: unknown; description?: string | null }
    | { type: "announce"; id?: number | string; message: string; level?: string }
    | { type: "publish"; id?: number | string; channel: string; event: string; data: unknown }
    | { type: "set_endpoint"; id?: number | string; name: string; enabled: boolean }
    | { type: "set_flag"; id?: number | string; name: string; enabled?: boolean; percentage?: number; wallets?: Array<string>; environments?: Array<string> }
    | { type: "get_flags"; id?: number | string }
    | { type: "get_rollout"; id?: number | string }
    | { type: "drain"; id?: number | string };
  "admin":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "set_maintenance"; id?: number | string; enabled: boolean; message?: string }
    | { type: "update_setting"; id?: number | string; key: string; value: unknown; description?: string | null }
    | { type: "announce"; id?: number | string; message: string; level?: string }
    | { type: "publish"; id?: number | string; channel: string; event: string; data: unknown }
    | { type: "set_endpoint"; id?: number | string; name: string; enabled: boolean }
    | { type: "set_flag"; id?: number | string; name: string; enabled?: boolean; percentage?: number; wallets?: Array<string>; environments?: Array<string> }
    | { type: "get_flags"; id?: number | string }
    | { type: "get_rollout"; id?: number | string }
    | { type: "drain"; id?: number | string }
    | { type: "ban"; id?: number | string; wallet: string; reason: string }
    | { type: "unban"; id?: number | string; wallet: string }
    | { type: "set_role"; id?: number | string; wallet: string; role: "admin" | "superadmin" | "user" }
    | { type: "list_admins"; id?: number | string }
    | { type: "get_audit"; id?: number | string; admin?: string | null; action?: string | null; limit?: number }
    | { type: "get_connections"; id?: number | string; wallet?: string | null; address?: string | null; endpoint?: string | null; after?: string | null; limit?: number }
    | { type: "kick"; id?: number | string; connection?: string | null; wallet?: string | null }
    | { type: "revoke_session"; id?: number | string; connection?: string | null; wallet?: string | null }
    | { type: "trace"; id?: number | string; connection?: string | null; wallet?: string | null; seconds?: number }
    | { type: "stop_trace"; id?: number | string; trace: number };
  "circuit-breaker":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "subscribe:services"; id?: number | string }
    | { type: "subscribe_all"; id?: number | string }
    | { type: "subscribe:layer"; id?: number | string; layer: string }
    | { type: "subscribe:service"; id?: number | string; service: string }
    | { type: "service:health_check"; id?: number | string; service: string }
    | { type: "service:reset_circuit_breaker"; id?: number | string; service: string }
    | { type: "service:config"; id?: number | string; service: string }
    | { type: "service:update_config"; id?: number | string; service: string; config: Record<string, unknown> }
    | { type: "service:incidents"; id?: number | string; service?: string; limit?: number };
  "contest":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "get_all_contests"; id?: number | string }
    | { type: "get_contest_state"; id?: number | string; contestId: string | number }
    | { type: "get_leaderboard"; id?: number | string; contestId: string | number }
    | { type: "get_participant_status"; id?: number | string; contestId: string | number; wallet?: string | null }
    | { type: "send_chat_message"; id?: number | string; contestId: string | number; text: string; clientId?: string | null }
    | { type: "SEND_CHAT_MESSAGE"; id?: number | string; contestId: string | number; text: string; clientId?: string | null }
    | { type: "get_chat_history"; id?: number | string; contestId: string | number; before?: string | null; limit?: number }
    | { type: "delete_chat_message"; id?: number | string; contestId: string | number; messageId?: string | number | null }
    | { type: "mute_user"; id?: number | string; contestId: string | number; wallet: string; seconds: number }
    | { type: "set_slow_mode"; id?: number | string; contestId: string | number; seconds: number }
    | { type: "join_contest_room"; id?: number | string; contestId: string | number; visibility?: "invisible" | "visible"; since?: { epoch: number; offset?: number; tick?: number; filter?: number } }
    | { type: "JOIN_ROOM"; id?: number | string; contestId: string | number; visibility?: "invisible" | "visible"; since?: { epoch: number; offset?: number; tick?: number; filter?: number } }
    | { type: "leave_contest_room"; id?: number | string; contestId: string | number }
    | { type: "LEAVE_ROOM"; id?: number | string; contestId: string | number }
    | { type: "set_admin_presence"; id?: number | string; contestId: string | number; visibility: "invisible" | "visible" }
    | { type: "set_contest_status"; id?: number | string; contestId: string | number; status: "active" | "cancelled" | "completed"; reason?: string };
  "monitor":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "get_system_status"; id?: number | string }
    | { type: "get_maintenance_status"; id?: number | string }
    | { type: "get_system_settings"; id?: number | string; key?: string | null }
    | { type: "get_service_status"; id?: number | string; service: string }
    | { type: "get_all_services"; id?: number | string }
    | { type: "get_recent_errors"; id?: number | string; limit?: number; service?: string | null };
  "skyduel":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "create_match"; id?: number | string; mode?: string; max_players?: number; private?: boolean; score?: number; seconds?: number }
    | { type: "join_match"; id?: number | string; match_id: number; invite?: string }
    | { type: "quick_match"; id?: number | string; mode?: string }
    | { type: "rematch"; id?: number | string }
    | { type: "ready"; id?: number | string; ready?: boolean }
    | { type: "leave_match"; id?: number | string }
    | { type: "spectate"; id?: number | string; match_id: number; invite?: string }
    | { type: "list_matches"; id?: number | string; status?: "abandoned" | "countdown" | "finished" | "live" | "lobby" | null; mode?: string | null; limit?: number }
    | { type: "get_result"; id?: number | string; match_id: number }
    | { type: "input"; id?: number | string; seq: number; t?: number; throttle?: number; turn?: number; fire?: boolean };
  "system-settings":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "get_all_settings"; id?: number | string }
    | { type: "get_setting"; id?: number | string; key: string }
    | { type: "get_category_settings"; id?: number | string; category: string }
    | { type: "GET_SYSTEM_SETTINGS"; id?: number | string; key?: string | null; requestId?: unknown }
    | { type: "subscribe_setting"; id?: number | string; key: string }
    | { type: "subscribe_category"; id?: number | string; category: string }
    | { type: "unsubscribe_setting"; id?: number | string; key: string }
    | { type: "unsubscribe_category"; id?: number | string; category: string }
    | { type: "update_setting"; id?: number | string; key: string; value: unknown; description?: string | null };
  "test":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "echo"; id?: number | string };
  "token-data":
    | { type: "heartbeat"; id?: number | string }
    | { type: "limits"; id?: number | string }
    | { type: "pause"; id?: number | string; channel: string }
    | { type: "ping"; id?: number | string; timestamp?: unknown }
    | { type: "refresh"; id?: number | string; token: string }
    | { type: "resume"; id?: number | string; channel: string }
    | { type: "resync"; id?: number | string; channel: string }
    | { type: "subscribe"; id?: number | string; channel: string; format?: string; rows?: Array<string>; new?: Array<string>; since?: { epoch: number; offset?: number; tick?: number; filter?: number }; max_rate_ms?: number; accept?: Array<string> }
    | { type: "unsubscribe"; id?: number | string; channel: string }
    | { type: "subscribe_tokens"; id?: number | string; symbols: Array<string> }
    | { type: "unsubscribe_tokens"; id?: number | string; symbols: Array<string> }
    | { type: "get_token"; id?: number | string; symbol: string }
    | { type: "get_all_tokens"; id?: number | string }
    | { type: "token_update"; id?: number | string; data: Array<{ address?: string; symbol?: string; name?: string; id?: number; decimals?: number | null; listed?: boolean; color?: string | null; image_url?: string | null; socials?: Array<{ platform: string; url: string }> | null; websites?: Array<{ label: string; url: string }> | null; price?: string; change_24h?: string | null; market_cap?: string | null; fdv?: string | null; liquidity?: string | null; volume_24h?: string | null; buy_pressure?: string | null }> }
    | { type: "get_history"; id?: number | string; symbol: string; resolution?: string; since?: number; until?: number; limit?: number }
    | { type: "get_token_metadata"; id?: number | string; symbols: Array<string> }
    | { type: "whitelist_get"; id?: number | string }
    | { type: "whitelist_add"; id?: number | string; address: string; symbol: string; name?: string | null; decimals?: number | null; image_url?: string | null }
    | { type: "whitelist_edit"; id?: number | string; address: string; version: number; symbol?: string; name?: string | null; decimals?: number | null; image_url?: string | null }
    | { type: "whitelist_remove"; id?: number | string; address: string; version: number }
    | { type: "get_market_alerts"; id?: number | string; limit?: number; symbol?: string | null; kind?: "price_move" | "status_change" | "trend_change" | "volume_spike" | null }
    | { type: "set_price_alert"; id?: number | string; symbol: string; condition: "above" | "below"; price: string; once?: boolean }
    | { type: "get_price_alerts"; id?: number | string; fired?: boolean | null }
    | { type: "delete_price_alert"; id?: number | string; alert_id: number };
}

export type Endpoint = keyof Messages;
