//! What Redis runs on its side, so that it happens in one step.

/// `last` becomes the id that the stream gave last, `0-0` if there is no stream.
///
/// It is not the id of the last entry: a stream that was trimmed to nothing still knows what it gave.
macro_rules! last_id {
    () => {
        "
local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
end
"
    };
}

/// Arguments: first id, how many. Answer: the last id that was given, and the entries.
pub(super) const LOOK: &str = concat!(
    last_id!(),
    "
local entries = {}
if tonumber(ARGV[2]) > 0 then
    entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
end
return {last, entries}
"
);

/// Arguments: the event, a token that no other event has, whether it was tried before, how many to keep, how old they
/// may be and how long the stream lives after its last event, both in milliseconds and 0 for no limit.
/// Answer: the id.
///
/// Each entry has `p`, the id before its own, so that a reader sees that nothing is missing; `k`, the token, so that
/// a retry finds what an attempt without an answer has added; and `e`, the event.
pub(super) const APPEND: &str = concat!(
    "
if ARGV[3] == '1' then
    for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 10000)) do
        for i = 1, #entry[2], 2 do
            if entry[2][i] == 'k' and entry[2][i + 1] == ARGV[2] then return entry[1] end
        end
    end
end
",
    last_id!(),
    "
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'p', last, 'k', ARGV[2], 'e', ARGV[1])
if ARGV[5] ~= '0' then
    local now = tonumber(string.match(id, '^%d+'))
    redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', now - tonumber(ARGV[5])))
end
if ARGV[6] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
return id
"
);
