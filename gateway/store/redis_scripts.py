"""The store's atomic steps as Lua, valid on Redis 7.0 and on Valkey. Data only; `redis.py` runs them.

A value begins with the time of its logical expiry, 8 bytes big-endian; that time and `now` come from the caller's
clock, while Redis' own PX only clears away. The arithmetic of LIMITS is that of `gateway.policy.limits.take`.
"""

from __future__ import annotations

from typing import Final

RENEW: Final = """
local v = redis.call('GET', KEYS[1])
if not v or struct.unpack('>d', v) <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2] .. string.sub(v, 9), 'PX', ARGV[3])
return 1
"""
"""KEYS: session. ARGV: now, packed expiry, px."""

REPLACE: Final = """
local v = redis.call('GET', KEYS[1])
if not v or struct.unpack('>d', v) <= tonumber(ARGV[1]) or string.sub(v, 9) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
"""
"""KEYS: session. ARGV: now, old body, new value, px."""

REVOKE: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100000, '*', 's', ARGV[3], 'v', ARGV[1])
return 1
"""
"""KEYS: revocation, stream. ARGV: packed until and at, px, subject."""

END: Final = """
local v = redis.call('GET', KEYS[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100000, '*', 's', ARGV[3], 'v', ARGV[1])
redis.call('DEL', KEYS[3])
if v and struct.unpack('>d', v) > tonumber(ARGV[4]) then return 1 end
return 0
"""
"""KEYS: revocation, stream, session. ARGV: packed until and at, px, subject, now."""

TAKE_ONCE: Final = """
local v = redis.call('GET', KEYS[1])
if not v then return {'unknown'} end
local expires, now = struct.unpack('>d', v), tonumber(ARGV[1])
if string.byte(v, 9) == 1 then return {'used', string.sub(v, 10)} end
if expires <= now then return {'expired'} end
redis.call('SET', KEYS[1], string.sub(v, 1, 8) .. string.char(1) .. string.sub(v, 10), 'PX', ARGV[2])
return {'taken', string.sub(v, 10)}
"""
"""KEYS: value. ARGV: now, px of the tombstone."""

CLAIM: Final = """
local v = redis.call('GET', KEYS[1])
if v and struct.unpack('>d', v) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
"""KEYS: claim. ARGV: now, packed expiry, px."""

DELETE: Final = """
local v = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
if v and struct.unpack('>d', v) > tonumber(ARGV[1]) then return 1 end
return 0
"""
"""KEYS: value. ARGV: now."""

ACQUIRE: Final = """
local v = redis.call('GET', KEYS[1])
local fence
if v and struct.unpack('>d', v) > tonumber(ARGV[1]) then
  local held = cjson.decode(string.sub(v, 9))
  if held[1] ~= ARGV[3] then return 0 end
  fence = held[2]
else
  fence = redis.call('INCR', KEYS[2])
end
redis.call('SET', KEYS[1], ARGV[2] .. cjson.encode({ARGV[3], fence}), 'PX', ARGV[4])
return fence
"""
"""KEYS: lease, counter of fencing numbers. ARGV: now, packed expiry, owner, px."""

RELEASE: Final = """
local v = redis.call('GET', KEYS[1])
if v and cjson.decode(string.sub(v, 9))[1] == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
"""KEYS: lease. ARGV: owner."""

LIMITS: Final = """
local now, slack, all = tonumber(ARGV[1]), tonumber(ARGV[2]), true
local results, states = {}, {}
for i, key in ipairs(KEYS) do
  local rate, burst, cost = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  local interval = 1.0 / rate
  local tolerance = burst * interval
  local rest = math.min(math.max(tonumber(redis.call('GET', key) or 0), now), now + tolerance)
  local after = rest + cost * interval
  local wait = after - tolerance - now
  local allowed = wait <= slack
  local state = allowed and after or rest
  local remaining = math.max(0, math.floor((tolerance - (state - now) + slack) / interval))
  results[i] = {allowed and 1 or 0, string.format('%.17g', allowed and 0 or wait), remaining}
  states[i] = after
  all = all and allowed
end
if all then
  for i, key in ipairs(KEYS) do
    local px = math.ceil((states[i] - now) * 1000) + 1000
    redis.call('SET', key, string.format('%.17g', states[i]), 'PX', string.format('%d', px))
  end
end
return results
"""
"""KEYS: limits. ARGV: now, slack, then rate, burst and cost of each."""
