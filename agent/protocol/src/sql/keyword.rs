//! Comes in: a word of SQL. Goes out: what it means to the summary of a statement. Refuses: words it does not know; they
//! are names.

/// Words that matter, by what they do to a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    /// `SELECT`: an operation wherever it stands.
    Select,
    /// `INSERT`, `REPLACE`, `MERGE`, `LOAD`: its target stands behind `INTO`.
    Insert,
    /// `DELETE`: its target stands behind `FROM`.
    Delete,
    /// `UPDATE`: its target follows.
    Update,
    /// `CREATE`, `ALTER`, `DROP`: a kind of object follows, then its name.
    Define,
    /// A kind of object that has a name worth telling.
    Object,
    /// A kind of object whose name is not told: users, roles.
    Person,
    /// An operation on an object that follows: `TRUNCATE`, `CALL`, `USE`, …
    Act,
    /// An operation that tells no more: `BEGIN`, `SET`, `SHOW`, …
    Plain,
    /// `GRANT`, `REVOKE`: the words behind it name operations and people, and do nothing.
    Permit,
    /// `EXPLAIN`: an operation on the operation that follows.
    Explain,
    /// `WITH`: names of subqueries follow.
    With,
    /// `AS`.
    As,
    /// `DISTINCT`.
    Distinct,
    /// `FROM`.
    From,
    /// `JOIN`.
    Join,
    /// `INTO`.
    Into,
    /// What ends the list behind `FROM`.
    Clause,
    /// What may stand between an operation and its target.
    Modifier,
}

/// Longest keyword, bytes.
const LONGEST: usize = 13;

/// What `word` means, in any case of its letters.
pub(super) fn keyword(word: &[u8]) -> Option<Keyword> {
    let mut upper = [0; LONGEST];
    let upper = upper.get_mut(..word.len())?;
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    Some(match &*upper {
        b"SELECT" => Keyword::Select,
        b"INSERT" | b"REPLACE" | b"MERGE" | b"LOAD" => Keyword::Insert,
        b"DELETE" => Keyword::Delete,
        b"UPDATE" => Keyword::Update,
        b"CREATE" | b"ALTER" | b"DROP" => Keyword::Define,
        b"TABLE" | b"INDEX" | b"VIEW" | b"DATABASE" | b"SCHEMA" | b"FUNCTION" | b"PROCEDURE" | b"TRIGGER"
        | b"SEQUENCE" | b"TYPE" | b"DOMAIN" | b"EXTENSION" | b"EVENT" | b"SERVER" | b"TABLESPACE"
        | b"PUBLICATION" | b"SUBSCRIPTION" | b"AGGREGATE" => Keyword::Object,
        b"USER" | b"ROLE" | b"GROUP" => Keyword::Person,
        b"TRUNCATE" | b"CALL" | b"EXEC" | b"USE" | b"LOCK" | b"ANALYZE" | b"VACUUM" | b"OPTIMIZE"
        | b"REPAIR" | b"CHECK" | b"DESCRIBE" | b"DESC" | b"COPY" | b"REFRESH" | b"REINDEX" | b"CLUSTER" => {
            Keyword::Act
        }
        b"BEGIN" | b"START" | b"COMMIT" | b"ROLLBACK" | b"END" | b"ABORT" | b"SAVEPOINT" | b"RELEASE"
        | b"SET" | b"SHOW" | b"RESET" | b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" | b"DECLARE" | b"FETCH"
        | b"MOVE" | b"CLOSE" | b"LISTEN" | b"UNLISTEN" | b"NOTIFY" | b"DISCARD" | b"CHECKPOINT"
        | b"COMMENT" | b"DO" | b"VALUES" | b"UNLOCK" | b"FLUSH" | b"KILL" | b"HANDLER" | b"XA"
        | b"INSTALL" | b"UNINSTALL" | b"RENAME" | b"PURGE" | b"STOP" | b"REASSIGN" | b"SECURITY"
        | b"IMPORT" => Keyword::Plain,
        b"GRANT" | b"REVOKE" => Keyword::Permit,
        b"EXPLAIN" => Keyword::Explain,
        b"WITH" => Keyword::With,
        b"AS" => Keyword::As,
        b"DISTINCT" => Keyword::Distinct,
        b"FROM" => Keyword::From,
        b"JOIN" | b"STRAIGHT_JOIN" => Keyword::Join,
        b"INTO" => Keyword::Into,
        b"WHERE" | b"ORDER" | b"HAVING" | b"LIMIT" | b"UNION" | b"EXCEPT" | b"INTERSECT" | b"WINDOW"
        | b"RETURNING" | b"FOR" | b"OFFSET" => Keyword::Clause,
        b"ONLY" | b"LATERAL" | b"IF" | b"NOT" | b"EXISTS" | b"CONCURRENTLY" | b"IGNORE" | b"LOW_PRIORITY"
        | b"QUICK" | b"RECURSIVE" | b"MATERIALIZED" | b"FULL" | b"VERBOSE" | b"TABLES" | b"LOCAL" => {
            Keyword::Modifier
        }
        _ => return None,
    })
}

/// Does a statement begin here? Its first word, behind white space and comments, must be an operation, and whole.
pub(crate) fn begins_statement(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    if text.starts_with(b"/*") || text.starts_with(b"--") {
        return text.iter().take(64).all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
    }
    let text = text.strip_prefix(b"(").unwrap_or(text);
    let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    length < text.len().max(LONGEST)
        && text.get(..length).and_then(keyword).is_some_and(|word| {
            !matches!(
                word,
                Keyword::Object
                    | Keyword::Person
                    | Keyword::As
                    | Keyword::Distinct
                    | Keyword::From
                    | Keyword::Join
                    | Keyword::Into
                    | Keyword::Clause
                    | Keyword::Modifier
            )
        })
}
