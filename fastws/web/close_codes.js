// Close codes of fastws: [code, reason, what to do next].
// Made by docs/generate.py from fastws/errors.py; do not edit.
export const CLOSE_CODES = [
  [1000, "", "done"],
  [1001, "Server shutting down", "reconnect"],
  [1002, "Protocol error", "stop"],
  [1003, "Invalid message format", "stop"],
  [1007, "Invalid UTF-8", "stop"],
  [1008, "Message rate limit exceeded", "reconnect_later"],
  [1008, "Heartbeat timeout", "reconnect"],
  [1009, "Message too big", "stop"],
  [1011, "Internal error", "reconnect_later"],
  [1012, "Service restart", "reconnect"],
  [1013, "Try again later", "reconnect_later"],
  [4001, "Authentication required", "new_token"],
  [4003, "Forbidden", "stop"],
  [4401, "Token expired", "new_token"],
  [4401, "Session revoked", "new_token"],
  [4403, "Access withdrawn", "stop"],
  [4409, "Too many connections", "stop"],
  [4503, "Endpoint switched off", "fall_back"],
  [4508, "Stream backlog exceeded", "reconnect"],
  [4529, "Limits ignored", "reconnect_later"],
];
