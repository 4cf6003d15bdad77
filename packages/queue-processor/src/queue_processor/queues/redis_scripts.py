"""What a RedisQueue has its server do in one step, as Lua: nothing comes between the looking and the doing.

A message is an entry of the stream until it is done. It is either new (the group has not read it), or in flight (in
the group's list of pending entries: with its consumer, since when, and how often), or given back (in `again`, or
`suspects`, by the moment at which it is due, with its past in `history`). All times are the server's own.

Redis 6.2 knows every command here, Valkey too.
"""

from __future__ import annotations

KEYS = ("", ":dead", ":history", ":again", ":suspects", ":aliases", ":letters", ":wake", ":rules")
"""What follows the queue's name, in the order in which the scripts take them."""

GROUP = "workers"
BATCH = 1000
"""Lua hands a command no more than some thousand words at once."""

_COMMON = (
    f"local GROUP, BATCH = '{GROUP}', {BATCH}"
    """
local stream, dead, history, again, suspects, aliases, letters, wake, rules = unpack(KEYS)

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

-- A queue that is to be forgotten is so as a whole.
local function outlast_no_stream(...)
  local left = redis.call('PTTL', stream)
  if left > 0 then
    for _, key in ipairs({...}) do redis.call('PEXPIRE', key, left) end
  end
end

local function wake_all()
  redis.call('XADD', wake, 'MAXLEN', 1, '*', 'w', '')
end

-- A dead letter that was put back is a later entry than the one that gave it its id.
local aliased = redis.call('EXISTS', aliases) == 1
local function entry_of(id)
  -- No entry is 0-0: that is where the ids of other queues lead.
  return aliased and redis.call('HGET', aliases, id) or string.match(id, '^%d+%-%d+$') or '0-0'
end

local function past(entry)
  local said = redis.call('HGET', history, entry)
  if not said then return 0, 0 end
  local deliveries, deaths = string.match(said, '(%d+) (%d+)')
  return tonumber(deliveries), tonumber(deaths)
end

-- Whose it is says the list of pending entries; how often it came tells one delivery from a later one.
local function is_of(consumer, entry, deliveries)
  local pending = redis.call('XPENDING', stream, GROUP, entry, entry, 1, consumer)[1]
  return pending and pending[4] == tonumber(deliveries)
end

-- Those of `named` ("id deliveries id deliveries ...") that are still the consumer's: entries, deliveries, ids.
local function owned(consumer, named)
  local entries, counts, ids, seen = {}, {}, {}, {}
  for id, deliveries in string.gmatch(named, '(%S+) (%d+)') do
    local entry = entry_of(id)
    if not seen[entry] and is_of(consumer, entry, deliveries) then
      seen[entry] = true
      entries[#entries + 1], counts[#counts + 1], ids[#ids + 1] = entry, tonumber(deliveries), id
    end
  end
  return entries, counts, ids
end

local function give_back(entry, deliveries, deaths, quarantine, due)
  redis.call('XACK', stream, GROUP, entry)
  redis.call('HSET', history, entry, deliveries .. ' ' .. deaths)
  redis.call('ZADD', deaths >= quarantine and suspects or again, due, entry)
  outlast_no_stream(history, suspects, again)
end

-- Undone, as if they had not come; those that are due at once keep their order.
local function release(entries, counts, quarantine)
  local due = now() - 1
  for i, entry in ipairs(entries) do
    local _, deaths = past(entry)
    give_back(entry, counts[i] - 1, deaths, quarantine, due + i / (#entries + 1))
  end
  if #entries > 0 then wake_all() end
  return #entries
end

local function give_up(entry, deliveries, reason)
  local found = redis.call('XRANGE', stream, entry, entry)[1]
  if found then
    local id = found[2][4] or entry
    local letter = redis.call('XADD', dead, '*', 'i', id, 'b', found[2][2], 'd', deliveries, 'r', reason)
    redis.call('HSET', letters, id, letter)
    redis.call('HDEL', aliases, id)
    outlast_no_stream(dead, letters)
  end
  redis.call('XACK', stream, GROUP, entry)
  redis.call('XDEL', stream, entry)
  redis.call('HDEL', history, entry)
end
"""
)

# ARGV[1]: after how many milliseconds without another put the queue may be forgotten, or 0.
PUT = (
    _COMMON
    + """
local ids = {}
for i = 2, #ARGV do ids[i - 1] = redis.call('XADD', stream, '*', 'b', ARGV[i]) end
if #ids > 0 then wake_all() end
if ARGV[1] ~= '0' then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
end
return ids
"""
)

# From the beginning: what was put before the first worker came is not lost. ARGV[1] as above.
MAKE_GROUP = (
    _COMMON
    + """
local made = redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
-- Another one may have been faster.
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
if ARGV[1] ~= '0' and redis.call('PTTL', stream) < 0 then redis.call('PEXPIRE', stream, ARGV[1]) end
"""
)

# Answers: those that came before (id, body, deliveries, deaths, ...); of the new ones the ids, the lengths of the
# bodies, and the bodies; and where there are none: in how many milliseconds one is due (or -1), and the last entry of
# the stream that wakes who waits. A client needs longer to read a hundred small parts than one: unless they are large,
# bodies come in one piece.
TAKE = (
    _COMMON
    + """
local consumer, limit, quarantine = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local at, came, ids, lengths, bodies, size = now(), {}, {}, {}, {}, 0

local function hand_out(key, entry)
  local deliveries, deaths = past(entry)
  redis.call('ZREM', key, entry)
  local found = redis.call('XCLAIM', stream, GROUP, consumer, 0, entry, 'RETRYCOUNT', deliveries + 1, 'FORCE')[1]
  if found then
    local n = #came
    came[n + 1], came[n + 2], came[n + 3], came[n + 4] = found[2][4] or entry, found[2][2], deliveries + 1, deaths
  end
end

local suspect = redis.call('ZRANGEBYSCORE', suspects, '-inf', at, 'LIMIT', 0, 1)[1]
if suspect then
  hand_out(suspects, suspect)
else
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', again, '-inf', at, 'LIMIT', 0, limit)) do
    hand_out(again, entry)
  end
  local rest = limit - #came / 4
  local read = rest > 0 and redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', rest, 'STREAMS', stream, '>')
  for i, found in ipairs(read and read[1][2] or {}) do
    ids[i], bodies[i] = found[2][4] or found[1], found[2][2]
    lengths[i] = #bodies[i]
    size = size + lengths[i]
  end
end
if #came + #ids > 0 then
  return {came, table.concat(ids, ' '), table.concat(lengths, ' '), size < 1048576 and table.concat(bodies) or bodies}
end

local wait = -1
for _, key in ipairs({again, suspects}) do
  local due = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if due and (wait < 0 or due - at < wait) then wait = math.max(0, due - at) end
end
local last = redis.call('XREVRANGE', wake, '+', '-', 'COUNT', 1)[1]
return {came, '', '', '', math.ceil(wait), last and last[1] or '0-0'}
"""
)

# Takes back what was leased for too long, and forgets consumers that are gone; how many messages came back. By the
# rules of those who work (ARGV[5] is '1'): who only looks may have been told others.
RECLAIM = (
    _COMMON
    + """
local lease, quarantine, most, reason = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local works = ARGV[5] == '1'
local said = not works and redis.call('GET', rules)
if said then
  lease, most = string.match(said, '(%d+) (%d+)')
  lease, most = tonumber(lease), tonumber(most)
end
local late = redis.pcall('XPENDING', stream, GROUP, 'IDLE', lease, '-', '+', BATCH)
if late.err then return works and late or 0 end
if works then
  redis.call('SET', rules, lease .. ' ' .. most)
  outlast_no_stream(rules)
end
local due = now() - 1
for i, pending in ipairs(late) do
  local entry, deliveries = pending[1], pending[4]
  local _, deaths = past(entry)
  if deliveries >= most then
    give_up(entry, deliveries, reason)
  else
    give_back(entry, deliveries, deaths + 1, quarantine, due + i / (BATCH + 1))
  end
end
if #late > 0 then wake_all() end
for _, words in ipairs(redis.call('XINFO', 'CONSUMERS', stream, GROUP)) do
  local consumer = {}
  for i = 1, #words, 2 do consumer[words[i]] = words[i + 1] end
  if consumer.pending == 0 and consumer.idle > lease * 10 then
    redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, consumer.name)
  end
end
return #late
"""
)

ACK = (
    _COMMON
    + """
local entries, _, ids = owned(ARGV[1], ARGV[2])
if #entries > 0 then
  redis.call('XACK', stream, GROUP, unpack(entries))
  redis.call('XDEL', stream, unpack(entries))
  redis.call('HDEL', history, unpack(entries))
  redis.call('HDEL', aliases, unpack(ids))
end
return #entries
"""
)

RENEW = (
    _COMMON
    + """
local entries = owned(ARGV[1], ARGV[2])
for _, entry in ipairs(entries) do redis.call('XCLAIM', stream, GROUP, ARGV[1], 0, entry, 'JUSTID') end
return #entries
"""
)

RELEASE = (
    _COMMON
    + """
local entries, counts = owned(ARGV[1], ARGV[2])
return release(entries, counts, tonumber(ARGV[3]))
"""
)

# For later, or given up: ARGV[5] is the delay in milliseconds, or -1.
NACK = (
    _COMMON
    + """
local quarantine, most, delay, reason = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local entries, counts = owned(ARGV[1], ARGV[2])
for i, entry in ipairs(entries) do
  if delay < 0 or counts[i] >= most then
    give_up(entry, counts[i], reason)
  else
    local _, deaths = past(entry)
    give_back(entry, counts[i], deaths, quarantine, now() + delay)
    wake_all()
  end
end
return #entries
"""
)

# Gives back what the consumer was handed and never got: all that is its own but those of ARGV[2].
RECOVER = (
    _COMMON
    + """
local known = {}
for id, deliveries in string.gmatch(ARGV[2], '(%S+) (%d+)') do known[entry_of(id)] = tonumber(deliveries) end
local entries, counts = {}, {}
for _, pending in ipairs(redis.call('XPENDING', stream, GROUP, '-', '+', 1000000, ARGV[1])) do
  if known[pending[1]] ~= pending[4] then
    entries[#entries + 1], counts[#counts + 1] = pending[1], pending[4]
  end
end
return release(entries, counts, tonumber(ARGV[3]))
"""
)

LEAVE = (
    _COMMON
    + """
local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', 1, ARGV[1])
if not pending.err and #pending == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, ARGV[1])
end
"""
)

COUNTS = (
    _COMMON
    + """
-- Looked at only: whoever counts makes no group.
local pending = redis.pcall('XPENDING', stream, GROUP)
local taken = pending.err and 0 or pending[1]
return {redis.call('XLEN', stream) - taken, taken, redis.call('XLEN', dead)}
"""
)

WITHDRAW = (
    _COMMON
    + """
local count = 0
for _, id in ipairs(ARGV) do
  local entry = entry_of(id)
  local is_id = string.match(entry, '^%d+%-%d+$')
  local is_taken = is_id and #redis.call('XPENDING', stream, GROUP, entry, entry, 1) > 0
  if is_id and not is_taken and redis.call('XDEL', stream, entry) == 1 then
    redis.call('ZREM', again, entry)
    redis.call('ZREM', suspects, entry)
    redis.call('HDEL', history, entry)
    redis.call('HDEL', aliases, id)
    count = count + 1
  end
end
return count
"""
)

# ARGV[1] is '1' to put them back, '0' to forget them.
EMPTY_DEAD = (
    _COMMON
    + """
local count = 0
for i = 2, #ARGV do
  local letter = redis.call('HGET', letters, ARGV[i])
  local found = letter and redis.call('XRANGE', dead, letter, letter)[1]
  if found then
    if ARGV[1] == '1' then
      local entry = redis.call('XADD', stream, '*', 'b', found[2][4], 'i', ARGV[i])
      redis.call('HSET', aliases, ARGV[i], entry)
      wake_all()
    end
    redis.call('XDEL', dead, letter)
    redis.call('HDEL', letters, ARGV[i])
    count = count + 1
  end
end
return count
"""
)
