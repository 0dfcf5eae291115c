//! Comes in: the name of a command. Goes out: its name as the server writes it, and which of its arguments are keys.
//! Refuses: to show an argument of a command that is not listed.
//!
//! Source: `COMMAND` of Redis 7.0 and the command reference of Redis 8; channels count as keys.

/// Which arguments are shown. The command's name is number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// From the first to the last, in steps; a last one below 0 counts from the end.
    Range(u8, i8, u8),
    /// This argument says how many keys follow it.
    Counted(u8),
    /// The first, and as [`Keys::Counted`]: where a result is stored, the name of a function.
    FirstAndCounted(u8),
    /// The first is a part of the command's name.
    Part,
    /// The same, and a key follows.
    PartAndKey,
    /// The first half of what follows the word `STREAMS`.
    Streams,
}

const NONE: Keys = Keys::Range(1, 0, 1);
const FIRST: Keys = Keys::Range(1, 1, 1);
const SECOND: Keys = Keys::Range(2, 2, 1);
const THIRD: Keys = Keys::Range(3, 3, 1);
const TWO: Keys = Keys::Range(1, 2, 1);
const ALL: Keys = Keys::Range(1, -1, 1);
const ALL_BUT_FIRST: Keys = Keys::Range(2, -1, 1);
const ALL_BUT_LAST: Keys = Keys::Range(1, -2, 1);
const PAIRS: Keys = Keys::Range(1, -1, 2);

/// A command.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name, in upper case.
    pub(super) name: &'static str,
    /// Its arguments.
    pub(super) keys: Keys,
}

const fn known(name: &'static str, keys: Keys) -> Known {
    Known { name, keys }
}

/// Longest name in the list, bytes.
const LONGEST: usize = 24;

/// The command of this name, in any case.
pub(super) fn find(name: &[u8]) -> Option<&'static Known> {
    let mut upper = [0; LONGEST];
    let upper = upper.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    let place = COMMANDS.binary_search_by(|known| known.name.as_bytes().cmp(upper)).ok()?;
    COMMANDS.get(place)
}

/// Modules that Redis 8 brings along.
const MODULES: [&str; 8] = ["BF", "CF", "CMS", "FT", "JSON", "TDIGEST", "TOPK", "TS"];

/// Is it a command of one of them? They have a dot behind the module's name.
pub(super) fn is_of_module(name: &[u8]) -> bool {
    let module = name.split(|byte| *byte == b'.').next().filter(|module| module.len() < name.len());
    module.is_some_and(|module| MODULES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(module)))
}

/// Sorted by name.
static COMMANDS: [Known; 256] = [
    known("ACL", Keys::Part),
    known("APPEND", FIRST),
    known("ASKING", NONE),
    known("AUTH", NONE),
    known("BGREWRITEAOF", NONE),
    known("BGSAVE", NONE),
    known("BITCOUNT", FIRST),
    known("BITFIELD", FIRST),
    known("BITFIELD_RO", FIRST),
    known("BITOP", ALL_BUT_FIRST),
    known("BITPOS", FIRST),
    known("BLMOVE", TWO),
    known("BLMPOP", Keys::Counted(2)),
    known("BLPOP", ALL_BUT_LAST),
    known("BRPOP", ALL_BUT_LAST),
    known("BRPOPLPUSH", TWO),
    known("BZMPOP", Keys::Counted(2)),
    known("BZPOPMAX", ALL_BUT_LAST),
    known("BZPOPMIN", ALL_BUT_LAST),
    known("CLIENT", Keys::Part),
    known("CLUSTER", Keys::Part),
    known("COMMAND", Keys::Part),
    known("CONFIG", Keys::Part),
    known("COPY", TWO),
    known("DBSIZE", NONE),
    known("DEBUG", Keys::Part),
    known("DECR", FIRST),
    known("DECRBY", FIRST),
    known("DEL", ALL),
    known("DISCARD", NONE),
    known("DUMP", FIRST),
    known("ECHO", NONE),
    known("EVAL", Keys::Counted(2)),
    known("EVALSHA", Keys::FirstAndCounted(2)),
    known("EVALSHA_RO", Keys::FirstAndCounted(2)),
    known("EVAL_RO", Keys::Counted(2)),
    known("EXEC", NONE),
    known("EXISTS", ALL),
    known("EXPIRE", FIRST),
    known("EXPIREAT", FIRST),
    known("EXPIRETIME", FIRST),
    known("FAILOVER", NONE),
    known("FCALL", Keys::FirstAndCounted(2)),
    known("FCALL_RO", Keys::FirstAndCounted(2)),
    known("FLUSHALL", NONE),
    known("FLUSHDB", NONE),
    known("FUNCTION", Keys::Part),
    known("GEOADD", FIRST),
    known("GEODIST", FIRST),
    known("GEOHASH", FIRST),
    known("GEOPOS", FIRST),
    known("GEORADIUS", FIRST),
    known("GEORADIUSBYMEMBER", FIRST),
    known("GEORADIUSBYMEMBER_RO", FIRST),
    known("GEORADIUS_RO", FIRST),
    known("GEOSEARCH", FIRST),
    known("GEOSEARCHSTORE", TWO),
    known("GET", FIRST),
    known("GETBIT", FIRST),
    known("GETDEL", FIRST),
    known("GETEX", FIRST),
    known("GETRANGE", FIRST),
    known("GETSET", FIRST),
    known("HDEL", FIRST),
    known("HELLO", NONE),
    known("HEXISTS", FIRST),
    known("HEXPIRE", FIRST),
    known("HEXPIREAT", FIRST),
    known("HEXPIRETIME", FIRST),
    known("HGET", FIRST),
    known("HGETALL", FIRST),
    known("HGETDEL", FIRST),
    known("HGETEX", FIRST),
    known("HINCRBY", FIRST),
    known("HINCRBYFLOAT", FIRST),
    known("HKEYS", FIRST),
    known("HLEN", FIRST),
    known("HMGET", FIRST),
    known("HMSET", FIRST),
    known("HPERSIST", FIRST),
    known("HPEXPIRE", FIRST),
    known("HPEXPIREAT", FIRST),
    known("HPEXPIRETIME", FIRST),
    known("HPTTL", FIRST),
    known("HRANDFIELD", FIRST),
    known("HSCAN", FIRST),
    known("HSET", FIRST),
    known("HSETEX", FIRST),
    known("HSETNX", FIRST),
    known("HSTRLEN", FIRST),
    known("HTTL", FIRST),
    known("HVALS", FIRST),
    known("INCR", FIRST),
    known("INCRBY", FIRST),
    known("INCRBYFLOAT", FIRST),
    known("INFO", NONE),
    known("KEYS", NONE),
    known("LASTSAVE", NONE),
    known("LATENCY", Keys::Part),
    known("LCS", TWO),
    known("LINDEX", FIRST),
    known("LINSERT", FIRST),
    known("LLEN", FIRST),
    known("LMOVE", TWO),
    known("LMPOP", Keys::Counted(1)),
    known("LOLWUT", NONE),
    known("LPOP", FIRST),
    known("LPOS", FIRST),
    known("LPUSH", FIRST),
    known("LPUSHX", FIRST),
    known("LRANGE", FIRST),
    known("LREM", FIRST),
    known("LSET", FIRST),
    known("LTRIM", FIRST),
    known("MEMORY", Keys::PartAndKey),
    known("MGET", ALL),
    known("MIGRATE", THIRD),
    known("MODULE", Keys::Part),
    known("MONITOR", NONE),
    known("MOVE", FIRST),
    known("MSET", PAIRS),
    known("MSETNX", PAIRS),
    known("MULTI", NONE),
    known("OBJECT", Keys::PartAndKey),
    known("PERSIST", FIRST),
    known("PEXPIRE", FIRST),
    known("PEXPIREAT", FIRST),
    known("PEXPIRETIME", FIRST),
    known("PFADD", FIRST),
    known("PFCOUNT", ALL),
    known("PFDEBUG", SECOND),
    known("PFMERGE", ALL),
    known("PFSELFTEST", NONE),
    known("PING", NONE),
    known("PSETEX", FIRST),
    known("PSUBSCRIBE", ALL),
    known("PSYNC", NONE),
    known("PTTL", FIRST),
    known("PUBLISH", FIRST),
    known("PUBSUB", Keys::Part),
    known("PUNSUBSCRIBE", ALL),
    known("QUIT", NONE),
    known("RANDOMKEY", NONE),
    known("READONLY", NONE),
    known("READWRITE", NONE),
    known("RENAME", TWO),
    known("RENAMENX", TWO),
    known("REPLCONF", NONE),
    known("REPLICAOF", NONE),
    known("RESET", NONE),
    known("RESTORE", FIRST),
    known("RESTORE-ASKING", FIRST),
    known("ROLE", NONE),
    known("RPOP", FIRST),
    known("RPOPLPUSH", TWO),
    known("RPUSH", FIRST),
    known("RPUSHX", FIRST),
    known("SADD", FIRST),
    known("SAVE", NONE),
    known("SCAN", NONE),
    known("SCARD", FIRST),
    known("SCRIPT", Keys::Part),
    known("SDIFF", ALL),
    known("SDIFFSTORE", ALL),
    known("SELECT", FIRST),
    known("SENTINEL", Keys::Part),
    known("SET", FIRST),
    known("SETBIT", FIRST),
    known("SETEX", FIRST),
    known("SETNX", FIRST),
    known("SETRANGE", FIRST),
    known("SHUTDOWN", NONE),
    known("SINTER", ALL),
    known("SINTERCARD", Keys::Counted(1)),
    known("SINTERSTORE", ALL),
    known("SISMEMBER", FIRST),
    known("SLAVEOF", NONE),
    known("SLOWLOG", Keys::Part),
    known("SMEMBERS", FIRST),
    known("SMISMEMBER", FIRST),
    known("SMOVE", TWO),
    known("SORT", FIRST),
    known("SORT_RO", FIRST),
    known("SPOP", FIRST),
    known("SPUBLISH", FIRST),
    known("SRANDMEMBER", FIRST),
    known("SREM", FIRST),
    known("SSCAN", FIRST),
    known("SSUBSCRIBE", ALL),
    known("STRLEN", FIRST),
    known("SUBSCRIBE", ALL),
    known("SUBSTR", FIRST),
    known("SUNION", ALL),
    known("SUNIONSTORE", ALL),
    known("SUNSUBSCRIBE", ALL),
    known("SWAPDB", NONE),
    known("SYNC", NONE),
    known("TIME", NONE),
    known("TOUCH", ALL),
    known("TTL", FIRST),
    known("TYPE", FIRST),
    known("UNLINK", ALL),
    known("UNSUBSCRIBE", ALL),
    known("UNWATCH", NONE),
    known("WAIT", NONE),
    known("WAITAOF", NONE),
    known("WATCH", ALL),
    known("XACK", FIRST),
    known("XACKDEL", FIRST),
    known("XADD", FIRST),
    known("XAUTOCLAIM", FIRST),
    known("XCLAIM", FIRST),
    known("XDEL", FIRST),
    known("XDELEX", FIRST),
    known("XGROUP", Keys::PartAndKey),
    known("XINFO", Keys::PartAndKey),
    known("XLEN", FIRST),
    known("XPENDING", FIRST),
    known("XRANGE", FIRST),
    known("XREAD", Keys::Streams),
    known("XREADGROUP", Keys::Streams),
    known("XREVRANGE", FIRST),
    known("XSETID", FIRST),
    known("XTRIM", FIRST),
    known("ZADD", FIRST),
    known("ZCARD", FIRST),
    known("ZCOUNT", FIRST),
    known("ZDIFF", Keys::Counted(1)),
    known("ZDIFFSTORE", Keys::FirstAndCounted(2)),
    known("ZINCRBY", FIRST),
    known("ZINTER", Keys::Counted(1)),
    known("ZINTERCARD", Keys::Counted(1)),
    known("ZINTERSTORE", Keys::FirstAndCounted(2)),
    known("ZLEXCOUNT", FIRST),
    known("ZMPOP", Keys::Counted(1)),
    known("ZMSCORE", FIRST),
    known("ZPOPMAX", FIRST),
    known("ZPOPMIN", FIRST),
    known("ZRANDMEMBER", FIRST),
    known("ZRANGE", FIRST),
    known("ZRANGEBYLEX", FIRST),
    known("ZRANGEBYSCORE", FIRST),
    known("ZRANGESTORE", TWO),
    known("ZRANK", FIRST),
    known("ZREM", FIRST),
    known("ZREMRANGEBYLEX", FIRST),
    known("ZREMRANGEBYRANK", FIRST),
    known("ZREMRANGEBYSCORE", FIRST),
    known("ZREVRANGE", FIRST),
    known("ZREVRANGEBYLEX", FIRST),
    known("ZREVRANGEBYSCORE", FIRST),
    known("ZREVRANK", FIRST),
    known("ZSCAN", FIRST),
    known("ZSCORE", FIRST),
    known("ZUNION", Keys::Counted(1)),
    known("ZUNIONSTORE", Keys::FirstAndCounted(2)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_names_fit() {
        assert!(COMMANDS.is_sorted_by(|one, two| one.name < two.name));
        assert!(COMMANDS.iter().all(|known| known.name.len() <= LONGEST));
    }

    #[test]
    fn modules_stand_before_a_dot() {
        assert!(is_of_module(b"JSON.SET") && is_of_module(b"ft.search"));
        assert!(!is_of_module(b"JSON") && !is_of_module(b"NOT.SET") && !is_of_module(b""));
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(find(b"get").map(|known| known.name), Some("GET"));
        assert_eq!(find(b"ZuNiOnStOrE").map(|known| known.keys), Some(Keys::FirstAndCounted(2)));
        assert!(find(b"GETT").is_none() && find(b"").is_none() && find(&[b'A'; 99]).is_none());
    }
}
